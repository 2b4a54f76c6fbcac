import type { Page } from "@playwright/test";
import { asOwner, expect, join, makeProject, test } from "./support";

// Two members in two browsers at once. Sessions end here, so the shared one is left alone.
test.use({ storageState: { cookies: [], origins: [] } });

const KEY = "sk-ant-api03-bens-own-key-0123456789-wxyz";

/** Keeps what a page is told, by answers and by the WebSocket. */
function overhear(page: Page): () => Promise<string> {
  const told: Promise<string>[] = [];
  page.on("response", (answer) => {
    if (!answer.url().includes("/api/")) return;
    const headers = JSON.stringify(answer.headers());
    told.push(
      answer.text().then(
        (body) => headers + body,
        () => headers,
      ),
    );
  });
  page.on("websocket", (socket) =>
    socket.on("framereceived", ({ payload }) => told.push(Promise.resolve(payload.toString()))),
  );
  return async () => (await Promise.all(told)).join("\n");
}

test("nobody sees the key of another member, and a disabled one is out at once", async ({
  page,
  baseURL,
  browser,
}) => {
  // Anna owns the server: whoever may do most must not see it either.
  const anna = await asOwner(page, baseURL);
  const project = await makeProject(page, baseURL);
  const { page: bens, http: ben, id } = await join(browser, baseURL, anna);

  // Anna's page is open, listens, and is told of whatever happens.
  const annas = overhear(page);
  const own = overhear(bens);
  await page.goto(`/p/${project.id}`);

  await bens.goto("/settings");
  const keys = bens
    .getByRole("region", { name: "My API keys" })
    .getByRole("group", { name: "Anthropic", exact: true });
  await keys.getByRole("button", { name: "Add a key for Anthropic" }).click();
  await keys.getByLabel("Key").fill(KEY);
  await keys.getByRole("button", { name: "The provider is at another address" }).click();
  await keys.getByLabel("Base URL").fill("http://127.0.0.1:9");
  await keys.getByRole("button", { name: "Save key" }).click();
  await expect(keys.getByText("•••• wxyz")).toBeVisible();
  // A run with that key, which fails at once: nobody answers there.
  const card = await ben.post(`/api/projects/${project.id}/features`, { description: "Say hello." });
  await bens.goto(`/f/${card.id}`);
  await bens.getByRole("button", { name: "Start", exact: true }).click();

  for (const path of [`/f/${card.id}`, `/p/${project.id}`, "/team", "/audit", "/settings", "/"]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 }).first()).toBeVisible();
    expect(await page.content()).not.toContain(KEY);
  }
  await page.goto("/settings");
  await expect(page.getByText("•••• wxyz")).toHaveCount(0);
  expect(await annas()).toContain(id);
  expect(await annas()).not.toContain(KEY);
  expect(await own(), "not even its owner sees it again").not.toContain(KEY);

  // Ben looks at his own page when Anna shuts him out.
  await bens.goto(`/p/${project.id}`);
  await expect(bens.getByRole("region", { name: "Backlog" })).toBeVisible();
  const disabled = await page.request.patch(`/api/members/${id}`, {
    data: { disabled: true },
    headers: { origin: new URL(baseURL ?? "").origin },
  });
  expect(disabled.ok(), await disabled.text()).toBe(true);
  await expect(bens).toHaveURL(/\/login/);
  await bens.context().close();
});

test("a file that another member puts on a card, or takes off it, is on the open card at once", async ({
  page,
  baseURL,
  browser,
}) => {
  const anna = await asOwner(page, baseURL);
  const project = await makeProject(page, baseURL);
  const card = await project.write("Seat the guests");
  const { page: bens } = await join(browser, baseURL, anna);

  await page.goto(`/f/${card.id}`);
  await expect(page.getByRole("heading", { name: "Seat the guests" })).toBeVisible();
  const headers = { origin: new URL(baseURL ?? "").origin };
  const file = { name: "plan.txt", mimeType: "text/plain", buffer: Buffer.from("Table one.") };
  const sent = await bens.request.post(`/api/features/${card.id}/attachments`, {
    headers,
    multipart: { file },
  });
  expect(sent.ok(), await sent.text()).toBe(true);
  const shown = page.getByRole("link", { name: "plan.txt" });
  await expect(shown).toBeVisible();
  const { id } = await sent.json();
  await bens.request.delete(`/api/attachments/${id}`, { headers });
  await expect(shown).toHaveCount(0);
  await bens.context().close();
});
