import { expect, test } from "./support";

test("a newcomer takes the sample project from a card to a commit", async ({ page }) => {
  await page.goto("/projects");
  await page.getByRole("button", { name: "Add a project" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("The sample").click();
  const name = `To-do ${Date.now()}`;
  await dialog.getByLabel("Name").fill(name);
  await dialog.getByRole("button", { name: /add|create/i }).click();
  await expect(page.getByRole("heading", { name, level: 1 })).toBeVisible();

  // A suggestion becomes a card, and the card is started.
  await page.getByText("Add a done command").first().click();
  await page.getByRole("region", { name: "Backlog" }).getByText("Add a done command").first().click();
  const feature = page.getByRole("complementary").filter({ hasText: "Add a done command" });
  await feature.getByRole("button", { name: "Start", exact: true }).click();

  // It is watched while it works: words, reading, writing, a command with its output.
  await feature.getByRole("tab", { name: /Live/ }).click();
  await expect(feature.getByText("I start with the project's own instructions")).toBeVisible();
  await expect(feature.getByText("commands/done.sh").first()).toBeVisible();
  await expect(feature.getByText("./test.sh").first()).toBeVisible();
  await expect(feature.getByText("Waiting for approval").first()).toBeVisible({ timeout: 60_000 });

  // The diff is read, and the checks.
  await feature.getByRole("tab", { name: /Changes/ }).click();
  await expect(feature.getByText("help: done <number>").first()).toBeVisible();
  await feature.getByRole("tab", { name: /Checks/ }).click();
  await expect(feature.getByText("./test.sh").first()).toBeVisible();

  // A change is asked for; the same conversation goes on.
  await feature.getByRole("textbox").last().fill("Say in the README that numbers count from 1.");
  await page.keyboard.press("Control+Enter");
  await feature.getByRole("tab", { name: /Live/ }).click();
  await expect(feature.getByText("I added this to the README").first()).toBeVisible({ timeout: 60_000 });
  await expect(feature.getByText("Waiting for approval").first()).toBeVisible({ timeout: 60_000 });

  // Verified, merged, and the commit is there.
  await feature.getByRole("button", { name: "Verify" }).click();
  await expect(feature.getByText("Verified").first()).toBeVisible();
  await feature.getByRole("button", { name: "Merge" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Merge" }).click();
  await expect(feature.getByText("Completed").first()).toBeVisible();
  const id = new URL(page.url()).pathname.split("/").at(-1);
  const log = await (await page.request.get(`/api/projects/${id}/commits`)).json();
  expect(log.items[0].subject).toBe("Add a done command (#1)");
  expect(log.items[0].authorName).toBe("Ada Lovelace");
});
