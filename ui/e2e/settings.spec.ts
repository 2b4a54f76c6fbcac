import { asPage, expect, MEMBER, makeProject, SESSION, test } from "./support";

test("the theme is chosen, stays without a flash, and comes along to another device", async ({
  page,
  browser,
  baseURL,
}) => {
  // As it is before anybody has changed it: a try before this one may have.
  const { preferences } = await (await page.request.get("/api/auth/me")).json();
  const headers = { origin: new URL(baseURL ?? "").origin };
  const data = { preferences: { ...preferences, theme: "system" } };
  expect((await page.request.patch("/api/auth/me", { data, headers })).ok()).toBe(true);
  await page.goto("/settings");
  const saved = () => page.waitForResponse((answer) => answer.request().method() === "PATCH" && answer.ok());
  const dark = saved();
  await page.getByRole("radio", { name: "Dark" }).check({ force: true });
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await dark;
  await page.reload({ waitUntil: "commit" });
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  const device = await browser.newContext({
    ...(baseURL === undefined ? {} : { baseURL }),
    storageState: { cookies: [], origins: [] },
  });
  const other = await device.newPage();
  const { name: _, ...account } = MEMBER;
  await asPage(other.request, baseURL).post("/api/auth/login", account);
  await other.goto("/");
  await expect(other.locator("html")).toHaveAttribute("data-theme", "dark");
  await device.close();

  const system = saved();
  await page.getByRole("radio", { name: "Like the system" }).check({ force: true });
  await expect(page.locator("html")).toHaveAttribute("data-theme", "light");
  await system;
  // What is out of sight scrolls within the page, and never the frame around it.
  expect(await page.evaluate(() => document.documentElement.scrollTop)).toBe(0);
});

test("an admin sets limits, and what cannot be is told where it stands", async ({ page, baseURL }) => {
  // As it is before anybody has changed it: a try before this one may have.
  const headers = { origin: new URL(baseURL ?? "").origin };
  const data = { team: { maxMemoryMbPerMember: 8_000 }, run: { maxCostMicros: 20_000_000 } };
  expect((await page.request.patch("/api/settings/limits", { data, headers })).ok()).toBe(true);
  await page.goto("/settings");
  const form = page.locator("#limits");
  const memory = form.getByRole("textbox", { name: "Memory of one member, in MB" });
  const save = form.getByRole("button", { name: "Save" });
  await expect(memory).toHaveValue("8000");
  await expect(save).toBeDisabled();
  await memory.fill("ten");
  await expect(form.getByRole("alert")).toHaveText("Give a whole number.");
  await memory.fill("10");
  await save.click();
  await expect(form.getByRole("alert")).toContainText("from 64 to");
  await memory.fill("4000");
  await form.getByRole("textbox", { name: "Dollars" }).fill("12.50");
  await save.click();
  await expect(page.getByText("Limits saved")).toBeVisible();
  await page.reload();
  await expect(memory).toHaveValue("4000");
  await expect(form.getByRole("textbox", { name: "Dollars" })).toHaveValue("12.5");
  // As it was, for whoever comes after.
  await memory.fill("8000");
  await form.getByRole("textbox", { name: "Dollars" }).fill("20");
  await save.click();
  await expect(save).toBeDisabled();
});

test("a project's checks and instructions are saved", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  await page.goto(`/p/${project.id}/settings`);
  await page.getByRole("button", { name: "Add a check" }).click();
  await page.getByRole("textbox", { name: "Check 1" }).fill("make test");
  await page.getByRole("textbox", { name: /Instructions/ }).fill("Write plain English.");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByText("Settings saved").first()).toBeVisible();
  await page.reload();
  await expect(page.getByRole("textbox", { name: "Check 1" })).toHaveValue("make test");
  await expect(page.getByRole("textbox", { name: /Instructions/ })).toHaveValue("Write plain English.");
});

test.describe("a session of its own", () => {
  test.use({ storageState: { cookies: [], origins: [] } });

  test("that ends elsewhere leads to the sign-in, and back to where one was", async ({ page, browser }) => {
    await page.goto("/team");
    await expect(page).toHaveURL(/\/login\?next=/);
    await page.getByLabel("E-mail").fill(MEMBER.email);
    await page.getByLabel("Password").fill(MEMBER.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page).toHaveURL(/\/team$/);
    await expect(page.getByRole("heading", { name: "Team" })).toBeVisible();

    const other = await browser.newContext({ storageState: SESSION });
    const elsewhere = await other.newPage();
    await elsewhere.goto("/settings");
    const sessions = elsewhere.getByRole("region", { name: "Sessions" });
    // The latest one that is not this one is the first in the list of the others.
    const rows = sessions.getByRole("listitem").filter({ hasNotText: "This one" });
    await expect(rows.first()).toBeVisible();
    for (let left = await rows.count(); left > 0; left -= 1) {
      await rows.first().getByRole("button", { name: "End" }).click();
      await expect(rows).toHaveCount(left - 1);
    }
    await other.close();

    // The socket tells at once; nothing has to be clicked.
    await expect(page).toHaveURL(/\/login\?next=%2Fteam/);
    await page.getByLabel("E-mail").fill(MEMBER.email);
    await page.getByLabel("Password").fill(MEMBER.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("heading", { name: "Team" })).toBeVisible();
  });
});

test("what cannot be fetched says why, with the request's id, and is fetched again", async ({
  page,
  baseURL,
}) => {
  const project = await makeProject(page, baseURL);
  const refuse = {
    status: 500,
    contentType: "application/problem+json",
    body: JSON.stringify({
      title: "Internal error",
      status: 500,
      code: "internal",
      detail: "The store did not answer.",
      requestId: "01a20c80-ebf9",
    }),
  };
  await page.route("**/api/projects/*/features*", (route) => route.fulfill(refuse));
  await page.goto(`/p/${project.id}`);
  const alert = page.getByRole("alert").filter({ hasText: "The store did not answer." });
  await expect(alert).toContainText("01a20c80-ebf9");
  await page.unroute("**/api/projects/*/features*");
  await alert.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByRole("heading", { name: "This board is empty" })).toBeVisible();
});
