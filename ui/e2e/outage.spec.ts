import { cards, expect, makeProject, test } from "./support";

test("what could not be fetched while the server was away comes by itself", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  const other = await makeProject(page, baseURL, "sample");
  await project.write("A guest list");
  await page.goto(`/p/${project.id}`);
  await expect(cards(page, "Backlog")).toHaveCount(1);
  // The other views' scripts are there before the server is away.
  await page.getByRole("link", { name: "Agents" }).first().click();
  await expect(page.getByRole("heading", { name: "Agents at work" })).toBeVisible();

  await page.context().setOffline(true);
  await page.getByRole("link", { name: other.name }).first().click();
  const failed = page.getByRole("main").getByRole("alert");
  await expect(failed).toBeVisible({ timeout: 60_000 });
  // A board that is there is shown.
  await page.getByRole("link", { name: project.name }).first().click();
  await expect(cards(page, "Backlog")).toHaveCount(1);
  await page.getByRole("link", { name: other.name }).first().click();
  await expect(failed).toBeVisible({ timeout: 60_000 });

  await page.context().setOffline(false);
  await expect(page.getByRole("region", { name: "Backlog" })).toBeVisible({ timeout: 60_000 });
  await expect(failed).toHaveCount(0);
});
