import { expect, expectAccessible, test } from "./support";

test("on a narrow screen every place is reached by touch", async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto("/");
  const bar = page.getByRole("navigation", { name: "Main" });
  for (const [name, to] of [
    ["Projects", /\/projects$/],
    ["Chat", /\/chat/],
    ["Agents", /\/agents$/],
    ["Hub", /\/knowledge$/],
    ["Inbox", /\/$/],
  ] as const) {
    await bar.getByRole("link", { name }).click();
    await expect(page).toHaveURL(to);
    await expect(bar.locator("[data-current]")).toHaveText(new RegExp(`^${name}`));
  }
  const more = bar.getByRole("button", { name: /^More/ });
  for (const [name, to] of [
    [/^Notifications/, /\/notifications$/],
    ["Agent library", /\/agents-library$/],
    ["Systems", /\/systems$/],
    ["Usage", /\/usage/],
    ["Team", /\/team$/],
    ["Audit", /\/audit/],
    ["Operation", /\/operation$/],
    ["Settings", /\/settings$/],
  ] as const) {
    await more.click();
    await page.getByRole("menuitem", { name }).click();
    await expect(page).toHaveURL(to);
    await expect(bar.locator("[data-current]")).toHaveText(/^More/);
  }
  await expectAccessible(page);
  await more.click();
  await expect(page.getByRole("menuitem", { name: "Sign out" })).toBeVisible();
  await page.getByRole("menuitem", { name: "Search or do…" }).click();
  await expect(page.getByRole("combobox").first()).toBeFocused();
});
