import type { Page } from "@playwright/test";
import { asOwner, expect, expectAccessible, join, listed, makeProject, test } from "./support";

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

test("whose session ends signs in over what is not saved, and goes on", async ({
  page,
  baseURL,
  browser,
}) => {
  const anna = await asOwner(page, baseURL);
  const { page: bens, id, email, password } = await join(browser, baseURL, anna);
  await bens.goto("/agents-library");
  await bens.getByRole("button", { name: "New agent" }).click();
  const form = bens.getByRole("dialog", { name: "New agent" });
  const name = `Reader ${Date.now()}`;
  await form.getByLabel("Name").fill(name);
  await form.getByRole("textbox", { name: "Prompt" }).fill("You look twice.");

  const headers = { origin: new URL(baseURL ?? "").origin };
  expect((await page.request.post(`/api/members/${id}/sign-out`, { headers })).ok()).toBe(true);
  const again = bens.getByRole("dialog", { name: "Your session has ended" });
  await expect(again).toBeVisible();
  await expect(again.getByLabel("E-mail")).toHaveValue(email);
  await expectAccessible(bens);
  // Nothing of the page goes through the cover.
  await bens.keyboard.press("Escape");
  await again.getByLabel("Password").fill(password);
  await again.getByRole("button", { name: "Sign in" }).click();
  await expect(again).toHaveCount(0);
  await expect(form.getByRole("textbox", { name: "Prompt" })).toHaveValue("You look twice.");
  await form.getByRole("button", { name: "Save" }).click();
  await expect(form).toHaveCount(0);
  await expect(bens.getByText(name)).toBeVisible();

  // And nobody signs out over it without a question.
  await bens.getByRole("button", { name: "New agent" }).click();
  await form.getByLabel("Name").fill("Not yet");
  await bens.keyboard.press("Control+k");
  await bens.getByRole("combobox", { name: "Search or do…" }).fill("Sign out");
  await bens.getByRole("option", { name: "Sign out" }).first().click();
  await bens.getByRole("alertdialog").getByRole("button", { name: "Keep editing" }).click();
  await expect(form.getByLabel("Name")).toHaveValue("Not yet");
  await bens.context().close();
});

test("on a shared browser nobody goes on with what another wrote", async ({ page, baseURL, browser }) => {
  const anna = await asOwner(page, baseURL);
  const project = await makeProject(page, baseURL);
  const card = await project.write("Set the table");
  const ben = await join(browser, baseURL, anna);
  const grace = await join(browser, baseURL, anna, { name: "Grace" });
  const signIn = async ({ email, password }: { email: string; password: string }) => {
    await page.getByLabel("E-mail").fill(email);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await expect(page.getByRole("heading", { level: 1 }).first()).not.toHaveText("Sign in");
  };
  const go = async (name: string) => {
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Search or do…" }).fill(name);
    await page.getByRole("option", { name }).first().click();
  };
  const leave = async (name: string) => {
    await page.getByRole("button", { name }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await expect(page).toHaveURL(/\/login/);
  };
  const title = page.getByLabel("Title", { exact: true });
  await page.context().clearCookies();
  await page.goto(`/login?next=${encodeURIComponent(`/p/${project.id}`)}`);
  await signIn(ben);
  await expect(page.getByRole("region", { name: "Backlog" })).toBeVisible();
  await listed(page, project.name);
  await page.keyboard.press("c");
  await title.fill("Ben's own thought");
  await page.keyboard.press("Escape");
  await page.getByRole("link", { name: "Set the table" }).focus();
  await page.keyboard.press("e");
  await title.fill("Ben's table");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await leave("Ben");

  // The page was not loaded anew in between.
  await signIn(grace);
  await go(project.name);
  await expect(page.getByRole("region", { name: "Backlog" })).toBeVisible();
  await listed(page, project.name);
  await page.keyboard.press("c");
  await expect(title).toHaveValue("");
  await page.keyboard.press("Escape");
  await page.getByRole("link", { name: "Set the table" }).focus();
  await page.keyboard.press("e");
  await expect(title).toHaveValue("Set the table");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await leave("Grace");

  await signIn(ben);
  await page.goto(`/p/${project.id}?f=${card.id}`);
  await page.getByRole("link", { name: "Set the table" }).focus();
  await page.keyboard.press("e");
  await expect(title).toHaveValue("Ben's table");
  await ben.page.context().close();
  await grace.page.context().close();
});
