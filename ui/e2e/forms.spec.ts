import type { Page } from "@playwright/test";
import { asPage, expect, makeProject, resting, SESSION, shots, test } from "./support";

/** Says something to the server as another admin's page does. */
async function other(page: Page, baseURL: string | undefined, path: string, data: object) {
  const headers = { origin: new URL(baseURL ?? "").origin };
  const answer = await page.request.patch(path, { data, headers });
  expect(answer.ok(), await answer.text()).toBe(true);
}

const asked = (page: Page) => page.getByRole("alertdialog");

test("of two who change different settings neither undoes the other's", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  await page.goto(`/p/${project.id}/settings`);
  const instructions = page.getByRole("textbox", { name: /Instructions/ });
  await expect(instructions).toHaveValue("");
  await page.getByRole("textbox", { name: "Name" }).fill(`${project.name} 2`);
  await other(page, baseURL, `/api/projects/${project.id}`, {
    settings: { instructions: "Write plain English." },
  });
  // It is seen at once, and stays.
  await expect(instructions).toHaveValue("Write plain English.");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByText("Settings saved").first()).toBeVisible();
  const kept = await (await page.request.get(`/api/projects/${project.id}`)).json();
  expect([kept.name, kept.settings.instructions]).toEqual([`${project.name} 2`, "Write plain English."]);

  // What both change is told.
  await instructions.fill("Write verse.");
  await other(page, baseURL, `/api/projects/${project.id}`, { settings: { instructions: "Write prose." } });
  await expect(page.getByText("Somebody else has changed the same.", { exact: false })).toBeVisible();
  await page.getByRole("button", { name: "Take theirs" }).click();
  await expect(instructions).toHaveValue("Write prose.");

  // The limits of the team, of which the page is told nothing meanwhile.
  const usual = { run: { maxTurns: 200, maxMinutes: 120 } };
  await other(page, baseURL, "/api/settings/limits", usual);
  await page.goto("/settings#limits");
  const limits = page.locator("#limits");
  await expect(limits.getByLabel("Minutes")).toHaveValue("120");
  await other(page, baseURL, "/api/settings/limits", { run: { maxTurns: 333 } });
  await limits.getByLabel("Minutes").fill("90");
  await limits.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Limits saved")).toBeVisible();
  await expect(limits.getByLabel("Turns")).toHaveValue("333");
  await other(page, baseURL, "/api/settings/limits", usual);
});

test("what is not saved is not left without a question", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  await page.goto("/usage");
  await expect(page.getByRole("heading", { name: "Usage", level: 1 })).toBeVisible();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Search or do…" }).fill(`Settings of ${project.name}`);
  await page
    .getByRole("option", { name: `Settings of ${project.name}` })
    .first()
    .click();
  await page.getByRole("textbox", { name: /Instructions/ }).fill("Half a thought");
  await expect(page.getByText("Unsaved changes")).toBeInViewport();
  // Within the page one goes where one wants.
  await page.getByRole("navigation", { name: "Sections of the settings" }).getByText("Secrets").click();
  await expect(page.getByRole("heading", { name: "Secrets" })).toBeInViewport();
  await page.getByRole("link", { name: "Inbox" }).click();
  await expect(asked(page)).toContainText("not saved");
  await asked(page).getByRole("button", { name: "Keep editing" }).click();
  await expect(page.getByRole("textbox", { name: /Instructions/ })).toHaveValue("Half a thought");
  await page.goBack();
  await asked(page).getByRole("button", { name: "Keep editing" }).click();
  await expect(page).toHaveURL(/settings/);
  await page.getByRole("link", { name: "Inbox" }).click();
  await asked(page).getByRole("button", { name: "Leave" }).click();
  await expect(page.getByRole("heading", { name: "Inbox", level: 1 })).toBeVisible();

  // A system's steps.
  await page.goto("/systems");
  await page.getByRole("button", { name: "New system" }).click();
  await page.getByRole("complementary").getByLabel("Name").first().fill("Not yet");
  await page.getByRole("link", { name: "Inbox" }).click();
  await asked(page).getByRole("button", { name: "Keep editing" }).click();
  await expect(page.getByRole("complementary").getByLabel("Name").first()).toHaveValue("Not yet");
  await page.getByRole("link", { name: "Inbox" }).click();
  await asked(page).getByRole("button", { name: "Leave" }).click();

  // An agent's prompt, in a window: the first field has the focus, and what saves is in sight.
  await page.goto("/agents-library");
  await page.getByRole("button", { name: "New agent" }).click();
  const dialog = page.getByRole("dialog", { name: "New agent" });
  await expect(dialog.getByLabel("Name")).toBeFocused();
  await expect(dialog.getByRole("button", { name: "Save" })).toBeInViewport();
  await dialog.getByRole("textbox", { name: "Prompt" }).fill("You look twice.");
  await page.keyboard.press("Escape");
  await asked(page).getByRole("button", { name: "Keep editing" }).click();
  await expect(dialog.getByRole("textbox", { name: "Prompt" })).toHaveValue("You look twice.");
  await page.keyboard.press("Escape");
  await asked(page).getByRole("button", { name: "Discard" }).click();
  await expect(dialog).toHaveCount(0);
});

test("a view that cannot be fetched leaves the page, and comes when the server is back", async ({ page }) => {
  const away = (route: { abort: () => Promise<void> }) => route.abort();
  // By its name and the eight letters after it: what is called `team-servers` belongs to the settings.
  const script = /\/assets\/team-[\w-]{8}\.js/;
  await page.route(script, away);
  await page.goto("/settings");
  await expect(page.getByRole("heading", { name: "Settings", level: 1 })).toBeVisible();
  await page.route("**/api/health", away);
  await page.getByRole("link", { name: "Team", exact: true }).click();
  await expect(page.getByRole("heading", { name: "The server cannot be reached" })).toBeVisible();
  // The page is still there: everything around the view works.
  await expect(page.getByRole("link", { name: "Inbox" })).toBeVisible();
  await page.getByRole("link", { name: "Inbox" }).click();
  await expect(page.getByRole("heading", { name: "Inbox", level: 1 })).toBeVisible();
  await page.getByRole("link", { name: "Team", exact: true }).click();
  await expect(page.getByRole("heading", { name: "The server cannot be reached" })).toBeVisible();
  await page.unroute(script);
  await page.unroute("**/api/health");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByRole("heading", { name: "Team", level: 1 })).toBeVisible();
});

test("every section of the settings is in the list of them, and in the palette", async ({
  page,
  baseURL,
}) => {
  const project = await makeProject(page, baseURL);
  for (const address of ["/settings", `/p/${project.id}/settings`]) {
    await page.goto(address);
    const index = page.getByRole("navigation", { name: "Sections of the settings" });
    await expect(index).toBeVisible();
    await expect(page.locator("#content section[id]").last()).toBeVisible();
    await expect(async () => {
      const listed = await index
        .locator("a")
        .evaluateAll((links) => links.map((link) => link.getAttribute("href")?.slice(1)));
      const there = await page.locator("#content section[id]").evaluateAll((all) => all.map((one) => one.id));
      expect(listed).toEqual(there);
    }).toPass({ timeout: 30_000 });
  }
  await page.goto("/settings#tokens");
  // However late what is above it comes.
  await expect(page.getByRole("heading", { name: "Access tokens" })).toBeInViewport();
  await expect(page.locator("nav a[aria-current=location]")).toHaveText("Access tokens");

  const title = `Where the lanterns hang ${Date.now()}`;
  await asPage(page.request, baseURL).post("/api/knowledge/entries", { title, content: "In the hall." });
  const search = page.getByRole("combobox", { name: "Search or do…" });
  const finds = async (text: string, name: string | RegExp) => {
    await page.keyboard.press("Control+k");
    await search.fill(text);
    await page.getByRole("option", { name }).first().click();
  };
  await finds("passkey", "Two-step verification");
  await expect(page).toHaveURL(/\/settings#security$/);
  await finds("webhook", "Team webhooks");
  await expect(page).toHaveURL(/\/settings#team-webhooks$/);
  await finds("retention", "Retention");
  await expect(page).toHaveURL(/\/operation\/disk#retention$/);
  await finds("lanterns hang", title);
  await expect(page.getByRole("heading", { name: title, level: 1 })).toBeVisible();
});

test("knowledge that could not be saved says so where one looks", async ({ page }) => {
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.goto("/knowledge/new");
  await page.getByLabel("Title", { exact: true }).fill("A failing save");
  await page.getByLabel("Text", { exact: true }).fill("Line by line.\n\n".repeat(60));
  await page.route("**/api/knowledge/entries", (route) =>
    route.fulfill({
      status: 500,
      contentType: "application/problem+json",
      body: JSON.stringify({ status: 500, code: "internal", detail: "The store did not answer." }),
    }),
  );
  await page.getByRole("button", { name: /^Save|^Create/ }).click();
  await expect(page.getByText("The store did not answer.")).toBeInViewport({ ratio: 1 });
  await page.getByRole("button", { name: "Discard the draft" }).click();
  await expect(asked(page)).toContainText("cannot be brought back");
  await asked(page).getByRole("button", { name: "Discard the draft" }).click();
  await expect(page).not.toHaveURL(/new/);
});

test("a page that is not there leads back, and the sections of operation stay in place", async ({ page }) => {
  await page.goto("/systems/01900000-0000-7000-8000-000000000000");
  await expect(page.getByRole("heading", { name: "There is nothing here" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Try again" })).toHaveCount(0);
  await page.locator("#content").getByRole("link", { name: "Systems" }).click();
  await expect(page.getByRole("heading", { name: "Systems", level: 1 })).toBeVisible();

  const places = new Set<number>();
  for (const part of ["", "/alerts", "/disk", "/backups", "/sandbox", "/limits"]) {
    await page.goto(`/operation${part}`);
    const current = page.locator("#content nav a[aria-current=page]");
    await expect(current).toBeVisible();
    places.add((await resting(page.locator("#content nav"))).x);
    await page.setViewportSize({ width: 360, height: 740 });
    await expect(current).toBeInViewport({ ratio: 1 });
    await page.setViewportSize({ width: 1440, height: 900 });
  }
  expect(places.size).toBe(1);
});

test("a key's form takes the focus, and Escape gives it back", async ({ page }) => {
  await page.goto("/settings#keys");
  const card = page.locator("#keys").getByRole("group", { name: "Google" });
  const add = card.getByRole("button", { name: /Add/ });
  await add.click();
  await expect(card.getByLabel("Key", { exact: true })).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(add).toBeFocused();
});

test("an invitation whose link got lost gets another, and members are found", async ({ page, baseURL }) => {
  const email = `lost-${Date.now()}@example.com`;
  const http = asPage(page.request, baseURL);
  const first = await http.post("/api/invitations", { email, role: "viewer" });
  await page.goto("/team");
  await page.getByRole("button", { name: `New link for ${email}` }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "New link" }).click();
  const link = await dialog.getByLabel("Link").inputValue();
  expect(link).toContain("/join/");
  expect(link).not.toBe(first.url);
  await shots(page, "new-link");
  await dialog.getByRole("button", { name: "Done" }).click();
  await page.getByRole("button", { name: `Revoke the invitation of ${email}` }).click();
  await expect(page.getByText(email)).toHaveCount(0);
});

test("an alert takes one line of a small page, and all of it when somebody asks", async ({
  browser,
  baseURL,
}) => {
  const context = await browser.newContext({
    ...(baseURL === undefined ? {} : { baseURL }),
    storageState: SESSION,
    viewport: { width: 360, height: 640 },
  });
  const page = await context.newPage();
  const at = new Date().toISOString();
  const alert = {
    ...{ id: "01900000-0000-7000-8000-000000000001", kind: "disk", subject: "s", about: "hall-1" },
    ...{ level: "critical", worstLevel: "critical", value: 95, worst: 95, raisedAt: at, changedAt: at },
    ...{
      seenAt: at,
      clearedAt: null,
      gone: false,
      silencedUntil: null,
      silencedLevel: null,
      silencedBy: null,
    },
    text: "95 % of the disk of hall-1 are used (threshold: 90 %). No work begins. Free some, or move the data.",
  };
  await page.route(/\/api\/alerts\?/, (route) => route.fulfill({ json: { items: [alert], next: null } }));
  await page.goto("/");
  const banner = page.getByRole("region", { name: "Alerts" });
  const height = async () => (await banner.boundingBox())?.height ?? 1_000;
  await expect(banner).toBeVisible();
  await expect.poll(height).toBeLessThan(40);
  await banner.getByRole("button", { name: "More" }).click();
  await expect(banner.getByText("move the data.", { exact: false })).toBeInViewport({ ratio: 1 });
  await banner.getByRole("button", { name: "Less" }).click();
  await expect.poll(height).toBeLessThan(40);
  await context.close();
});
