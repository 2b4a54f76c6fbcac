import { expect, expectAccessible, makeProject, shots, test } from "./support";

test("the cards of a project stand by what they depend on, drawn and as a list", async ({
  page,
  baseURL,
}) => {
  const project = await makeProject(page, baseURL);
  const plan = await project.write("Plan the shop");
  await page.goto(`/p/${project.id}?view=graph`);
  await expect(page.getByRole("heading", { name: "No card depends on another" })).toBeVisible();
  await expectAccessible(page);
  const cart = await project.write("Fill a cart", { dependencies: [plan.id] });
  const account = await project.write("Open an account", { dependencies: [plan.id] });
  await project.write("Pay what is in the cart", { dependencies: [cart.id, account.id] });
  await project.write("On its own");
  await page
    .getByRole("button", { name: "To the board" })
    .or(page.getByText("4 cards in 1 chain"))
    .first()
    .waitFor();
  await page.goto(`/p/${project.id}`);
  await page.getByRole("link", { name: "Graph", exact: true }).click();
  await expect(page).toHaveURL(/view=graph/);
  const picture = page.getByRole("region", { name: "Graph of dependencies" });
  const box = (name: RegExp) => picture.getByRole("link", { name });
  await expect(picture.getByRole("link", { name: /#\d/ })).toHaveCount(4);
  await expect(page.getByText("4 cards in 1 chain")).toBeVisible();
  await expect(box(/#4 Pay/)).toContainText("Backlog");
  await expect(box(/#4 Pay/)).toHaveAccessibleDescription("waits for #2, #3");
  const left = async (name: RegExp) => (await box(name).boundingBox())?.x ?? 0;
  const apart = async (one: RegExp, next: RegExp) => (await left(next)) - (await left(one));
  await expect.poll(() => apart(/#1 Plan/, /#2 Fill/)).toBeGreaterThan(0);
  await expect.poll(() => apart(/#2 Fill/, /#4 Pay/)).toBeGreaterThan(0);
  await shots(page, "graph");

  // A key opens a card, and the focus comes back to it.
  await page.goto(`/p/${project.id}?view=graph`);
  await box(/#3 Open/).focus();
  await page.keyboard.press("Enter");
  const panel = page.getByRole("complementary", { name: "Feature" });
  await expect(panel).toBeFocused();
  await expect(panel).toContainText("Open an account");
  await expect(page).toHaveURL(/view=graph/);
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await expect(box(/#3 Open/)).toBeFocused();

  await page.getByRole("radio", { name: "List" }).check({ force: true });
  const chain = page.getByRole("region", { name: "Leads to #4 Pay what is in the cart" });
  await expect(chain.getByRole("listitem")).toHaveCount(4);
  await expect(chain.getByRole("listitem").last()).toContainText("waits for #2, #3");
  await page.getByText("On its own: 1 card").click();
  await expect(page.getByRole("link", { name: /#5 On its own/ })).toBeVisible();
  await expectAccessible(page);
  // A narrow screen has the list, whichever was chosen.
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`/p/${project.id}?view=graph`);
  await expect(chain.getByRole("listitem")).toHaveCount(4);
  await expect(picture).toHaveCount(0);
  await expectAccessible(page);
  await page.getByRole("link", { name: "Board", exact: true }).click();
  await expect(page).not.toHaveURL(/view=/);
});
