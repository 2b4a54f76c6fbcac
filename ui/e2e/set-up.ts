import { expect, MEMBER, SESSION, test } from "./support";

test("the first account owns the server, and the set-up is closed from then on", async ({
  page,
  baseURL,
}) => {
  const status = await (await page.request.get("/api/auth/status")).json();
  if (!status.setUp) {
    await page.goto("/");
    await expect(page).toHaveURL(/\/setup$/);
    // By keyboard alone, from the field on that has the focus.
    await expect(page.locator("input:focus")).toHaveCount(1);
    await page.keyboard.type(MEMBER.name);
    await page.keyboard.press("Tab");
    await page.keyboard.type(MEMBER.email);
    await page.keyboard.press("Tab");
    await page.keyboard.type("short");
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(/\/setup$/);
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.type(MEMBER.password);
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(/\/projects$/);
    await expect(page.getByRole("button", { name: "Try the sample project" })).toBeVisible();
    await page.getByRole("button", { name: MEMBER.name }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await expect(page).toHaveURL(/\/login$/);
  }
  await page.goto("/setup");
  await expect(page).toHaveURL(/\/login$/);
  await page.getByLabel("E-mail").fill(MEMBER.email);
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  await expect(page.getByLabel("Password")).toBeFocused();
  await page.getByLabel("Password").fill(MEMBER.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Inbox" })).toBeVisible();
  await page.context().storageState({ path: SESSION });
  // All tests work as this member, and each card that one leaves to be merged holds a worktree.
  const limits = await (await page.request.get("/api/settings/limits")).json();
  const headers = { origin: new URL(baseURL ?? "").origin };
  const data = { ...limits, team: { ...limits.team, maxWorktreesPerMember: 200 } };
  expect((await page.request.put("/api/settings/limits", { data, headers })).ok()).toBe(true);
  // Nor does the machine on which they run keep work from beginning, or what they do on it raise an alert.
  const full = { warning: 99, critical: 100 };
  const never = { warning: 599_999, critical: 600_000 };
  const slow = { databaseMillis: never, apiFailures: never, activeAgents: never };
  const thresholds = { data: { memory: full, disk: full, ...slow }, headers };
  expect((await page.request.put("/api/settings/alerts", thresholds)).ok()).toBe(true);
});
