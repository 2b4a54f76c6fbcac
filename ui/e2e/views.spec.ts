import { expect, expectAccessible, listed, makeProject, overhang, test } from "./support";

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(`in ${colorScheme}`, () => {
    test.use({ colorScheme, contextOptions: { reducedMotion: "reduce" } });

    test("every view is accessible", async ({ page, baseURL }) => {
      const project = await makeProject(page, baseURL, "sample");
      const card = await project.write("Look at everything", { category: "views", priority: 1 });
      const views: [string, string | RegExp][] = [
        ["/", "Inbox"],
        ["/projects", "Projects"],
        ["/agents", "Agents at work"],
        ["/team", "Team"],
        ["/settings", "Settings"],
        [`/p/${project.id}`, project.name],
        [`/p/${project.id}/settings`, project.name],
        [`/p/${project.id}?f=${card.id}`, "Look at everything"],
        [`/f/${card.id}`, "Look at everything"],
      ];
      for (const [address, heading] of views) {
        await test.step(address, async () => {
          await page.goto(address);
          await expect(page.getByRole("heading", { name: heading }).first()).toBeVisible();
          await page.waitForLoadState("networkidle");
          await expectAccessible(page);
        });
      }
    });

    test("windows are accessible", async ({ page, baseURL }) => {
      const project = await makeProject(page, baseURL);
      await page.goto(`/p/${project.id}`);
      await expect(page.getByRole("heading", { name: "This board is empty" })).toBeVisible();
      await listed(page, project.name);
      await page.keyboard.press("c");
      await expect(page.getByRole("dialog", { name: "New card" })).toBeVisible();
      await expectAccessible(page);
      await page.keyboard.press("Escape");
      await page.keyboard.press("ControlOrMeta+k");
      await expect(page.getByRole("combobox", { name: "Search or do…" })).toBeFocused();
      await expectAccessible(page);
      await page.keyboard.press("Escape");
      await page.keyboard.press("?");
      await expect(page.getByRole("dialog", { name: "Keyboard shortcuts" })).toBeVisible();
      await expectAccessible(page);
      await page.keyboard.press("Escape");
      await page.goto("/projects?add=true");
      await expect(page.getByRole("dialog", { name: "Add a project" })).toBeVisible();
      await expectAccessible(page);
    });
  });
}

test("the palette reaches a board and a card", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  await project.write("Find me by name");
  await page.goto(`/p/${project.id}`);
  await expect(page.getByRole("link", { name: "Find me by name" })).toBeVisible();
  await page.keyboard.press("ControlOrMeta+k");
  await page.keyboard.type("find me");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/f=/);
  await page.keyboard.press("ControlOrMeta+k");
  await page.keyboard.type("agents at");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/agents$/);
  await page.goBack();
  await expect(page).toHaveURL(/f=/);
});

test("offline says so, keeps what was typed, and the reconnect is invisible", async ({
  page,
  baseURL,
  context,
}) => {
  const project = await makeProject(page, baseURL);
  await page.goto(`/p/${project.id}`);
  await page.getByRole("button", { name: "Write the first card" }).click();
  await page.getByLabel("Title").fill("Typed without a network");
  await context.setOffline(true);
  await page.getByRole("button", { name: "Create", exact: false }).last().click();
  await expect(page.getByRole("alert")).toContainText("cannot be reached");
  await expect(page.getByLabel("Title")).toHaveValue("Typed without a network");
  const banner = page.getByText("The server cannot be reached. What you typed is kept.");
  await expect(banner).toBeVisible();
  await context.setOffline(false);
  await expect(banner).toHaveCount(0);
  await page.getByRole("button", { name: "Create", exact: false }).last().click();
  await expect(page.getByRole("link", { name: "Typed without a network" })).toBeVisible();
});

test("a project that cannot be cloned says why, and can be tried again", async ({ page }) => {
  await page.goto("/projects?add=true");
  const dialog = page.getByRole("dialog", { name: "Add a project" });
  await dialog.getByRole("textbox", { name: "Repository" }).fill("https://127.0.0.1:9/nothing/here.git");
  await expect(dialog.getByRole("textbox", { name: "Name" })).toHaveValue("here");
  await dialog.getByRole("textbox", { name: "Name" }).fill(`here ${Date.now()}`);
  await dialog.getByRole("button", { name: "Add project" }).click();
  await expect(page.getByRole("heading", { name: "The repository could not be made" })).toBeVisible({
    timeout: 60_000,
  });
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByRole("heading", { name: "The repository could not be made" })).toBeVisible({
    timeout: 60_000,
  });
});

test("what is not there says so", async ({ page }) => {
  await page.goto("/p/00000000-0000-7000-8000-000000000000");
  await expect(page.getByRole("heading", { name: "There is nothing here" })).toBeVisible();
  await page.goto("/no/such/place");
  await expect(page.getByRole("heading", { name: "There is nothing here" })).toBeVisible();
});

test.describe("on a narrow screen", () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true });

  test("nothing is wider than the screen", async ({ page, baseURL }) => {
    const project = await makeProject(page, baseURL, "sample");
    const card = await project.write(
      "A card with a rather long title that has to be broken somewhere in the middle",
    );
    for (const address of [
      "/",
      "/projects",
      "/agents",
      "/team",
      "/settings",
      `/p/${project.id}`,
      `/f/${card.id}`,
    ]) {
      await page.goto(address);
      await page.waitForLoadState("networkidle");
      await expect.poll(() => overhang(page), address).toBeLessThanOrEqual(0);
    }
    await expectAccessible(page);
  });
});
