import { asPage, expect, expectAccessible, makeProject, test } from "./support";

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

test("an open card has the screen to itself, and the filters one button", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  await project.write("Alpha", { category: "a category that is rather long" });
  await project.write("Beta");
  await page.setViewportSize({ width: 360, height: 780 });
  await page.goto(`/p/${project.id}`);
  const bar = page.getByRole("navigation", { name: "Main" });
  await expect(bar).toBeVisible();
  const field = page.getByRole("searchbox", { name: "Filter the cards" });
  await expect(field).toBeHidden();
  await page.getByRole("button", { name: "Filter", exact: true }).click();
  await expect(field).toBeFocused();
  await field.fill("beta");
  await expect(page.getByRole("button", { name: "Filter: 1 of 2 cards" })).toBeVisible();
  await page.getByRole("link", { name: "Beta" }).click();
  await expect(page.getByRole("complementary", { name: "Feature" })).toBeVisible();
  await expect(bar).toHaveCount(0);
  await page.getByRole("button", { name: "Close the feature" }).click();
  await expect(bar).toBeVisible();
});

test("a long name breaks no list of projects", async ({ page, baseURL }) => {
  const http = asPage(page.request, baseURL);
  const name = `Payments-platform-rewrite-with-a-name-without-any-space-${Date.now()}`;
  await http.post("/api/projects", { name, source: { kind: "empty" } });
  await page.setViewportSize({ width: 360, height: 780 });
  await page.goto("/projects");
  const card = page.getByRole("main").getByRole("link", { name });
  await expect(card).toBeVisible();
  const right = async () => {
    const box = await card.boundingBox();
    return (box?.x ?? 0) + (box?.width ?? 1_000);
  };
  await expect.poll(right).toBeLessThanOrEqual(360);
});

test("where there is little room the sidebar is a rail, and it is folded by hand elsewhere", async ({
  page,
}) => {
  await page.setViewportSize({ width: 768, height: 1024 });
  await page.goto("/");
  const bar = page.getByRole("navigation", { name: "Main" });
  const width = async () => (await bar.boundingBox())?.width ?? 0;
  await expect(bar.getByRole("link", { name: /^Inbox/ })).toBeVisible();
  await expect.poll(width).toBeLessThan(60);
  await expectAccessible(page);
  await bar.getByRole("button", { name: "Unfold the sidebar" }).click();
  await expect.poll(width).toBeGreaterThan(200);
  await page.setViewportSize({ width: 1440, height: 900 });
  await bar.getByRole("button", { name: "Fold the sidebar" }).click();
  await page.reload();
  await expect.poll(width).toBeLessThan(60);
  await bar.getByRole("link", { name: "Agents at work" }).click();
  await expect(page).toHaveURL(/\/agents$/);
});
