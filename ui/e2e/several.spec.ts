import { cards, expect, expectAccessible, makeProject, shots, test } from "./support";

const TITLES = ["One", "Two", "Three", "Four"];

test("several cards are selected by keyboard, changed together, and let go of", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  for (const title of TITLES) await project.write(title);
  await page.goto(`/p/${project.id}`);
  const bar = page.getByRole("toolbar");
  const box = (title: string) => page.getByRole("checkbox", { name: new RegExp(`^Select #\\d ${title}$`) });
  await page.getByRole("link", { name: "One" }).focus();
  await page.keyboard.press("x");
  await page.keyboard.press("Shift+J");
  await page.keyboard.press("Shift+ArrowDown");
  await expect(bar).toContainText("3 selected");
  await expect(box("Three")).toBeChecked();
  await expect(box("Four")).not.toBeChecked();
  await expect(page.getByRole("status").filter({ hasText: "3 selected" })).toHaveCount(1);
  await expectAccessible(page);

  // The keys lead to what can be done with them, and along it.
  await page.keyboard.press("a");
  await expect(bar.getByRole("button", { name: "Start" })).toBeFocused();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await expect(bar.getByRole("button", { name: "Priority" })).toBeFocused();
  await page.keyboard.press("Enter");
  await page.getByRole("menuitem", { name: /High/ }).click();
  await expect.poll(() => priorities(page, project.id)).toEqual([1, 1, 1, 2]);
  // What is edited stays selected, for what comes next.
  await bar.getByRole("button", { name: "Category" }).click();
  await page.getByRole("menuitem", { name: "Another category…" }).click();
  await page.getByRole("dialog").getByLabel("Category").fill("api");
  await page.keyboard.press("Enter");
  await expect(cards(page, "Backlog").filter({ hasText: "api" })).toHaveCount(3);
  await bar.getByRole("button", { name: "Agent" }).click();
  await page.getByRole("menuitem", { name: "Reviewer" }).click();
  await expect(cards(page, "Backlog").filter({ hasText: "Reviewer" })).toHaveCount(3);
  await bar.getByRole("button", { name: "Model" }).click();
  await page.getByRole("menuitem", { name: "Default model" }).click();
  await bar.getByRole("button", { name: "Move" }).click();
  await expect(page.getByText("Nothing moves all of these as they stand.")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(bar).toContainText("3 selected");
  await page.keyboard.press("Escape");
  await expect(bar).toHaveCount(0);
});

const priorities = async (page: import("@playwright/test").Page, id: string) =>
  (await (await page.request.get(`/api/projects/${id}/features`)).json()).items.map(
    (card: { priority: number }) => card.priority,
  );

test("what is refused for one card is told with its name, and the others stand", async ({
  page,
  baseURL,
}) => {
  const project = await makeProject(page, baseURL);
  const written = [];
  for (const title of TITLES) written.push(await project.write(title));
  const broken = `**/api/features/${written[1].id}`;
  const problem = { status: 409, code: "stale", detail: "Somebody else changed this card meanwhile" };
  await page.route(broken, (route) =>
    route.request().method() === "PATCH"
      ? route.fulfill({ status: 409, contentType: "application/problem+json", body: JSON.stringify(problem) })
      : route.fallback(),
  );
  await page.goto(`/p/${project.id}`);
  const bar = page.getByRole("toolbar");
  // By mouse: shift extends within the column.
  await cards(page, "Backlog").nth(0).hover();
  await page.getByRole("checkbox", { name: "Select #1 One" }).click();
  await page.getByRole("checkbox", { name: "Select #4 Four" }).click({ modifiers: ["Shift"] });
  await expect(bar).toContainText("4 selected");
  await bar.getByRole("button", { name: "Priority" }).click();
  await page.getByRole("menuitem", { name: /Low/ }).click();
  const told = page.getByRole("alert").filter({ hasText: "Not done for 1 of 4 cards:" });
  await expect(told).toContainText("#2 Two Somebody else changed this card meanwhile.");
  await expect.poll(() => priorities(page, project.id)).toEqual([3, 2, 3, 3]);
  await page.unroute(broken);
  await shots(page, "several");

  // What a filter hides is not selected any more: nobody deletes what they do not see.
  await page.keyboard.press("/");
  await page.keyboard.type("#3");
  await expect(bar).toContainText("1 selected");
  await page.keyboard.press("Escape");
  await expect(cards(page, "Backlog")).toHaveCount(4);
  await bar.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await expect(cards(page, "Backlog").locator("h3")).toHaveText(["One", "Two", "Four"]);
  await expect(bar).toHaveCount(0);
});

test("several cards are started, and taken back to the backlog", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL, "sample");
  for (const title of ["One", "Two"]) await project.write(title);
  await page.goto(`/p/${project.id}`);
  const bar = page.getByRole("toolbar");
  const both = async (column: string) => {
    await expect(cards(page, column)).toHaveCount(2, { timeout: 60_000 });
    await cards(page, column).nth(0).getByRole("checkbox").check({ force: true });
    await cards(page, column)
      .nth(1)
      .getByRole("checkbox")
      .click({ modifiers: ["Shift"], force: true });
    await expect(bar).toContainText("2 selected");
  };
  await both("Backlog");
  await bar.getByRole("button", { name: "Start" }).click();
  // Those that were moved are let go of.
  await expect(bar).toHaveCount(0);
  await both("Waiting for approval");
  await bar.getByRole("button", { name: "Move" }).click();
  await expect(page.getByRole("menuitem")).toHaveText(["Move to backlog", "Verify", "Merge"]);
  await page.getByRole("menuitem", { name: "Move to backlog" }).click();
  await expect(cards(page, "Backlog")).toHaveCount(2);
});
