import { expect, expectAccessible, makeProject, test } from "./support";

test("a trial of the checks that takes too long is stopped by whoever began it", async ({
  page,
  baseURL,
}) => {
  const project = await makeProject(page, baseURL);
  await page.goto(`/p/${project.id}/settings`);
  const checks = page.locator("#checks");
  const stop = checks.getByRole("button", { name: "Stop the trial" });
  await checks.getByRole("button", { name: "Add a check" }).click();
  await checks.getByRole("textbox", { name: "Check 1" }).fill("echo begun; sleep 600");
  await expect(stop).toHaveCount(0);
  await checks.getByRole("button", { name: "Try the checks" }).click();
  await expect(checks.getByText("begun", { exact: true })).toBeVisible({ timeout: 60_000 });
  await expectAccessible(page);
  await stop.click();
  await expect(checks.getByRole("status")).toContainText("Broken off", { timeout: 60_000 });
  await expect(checks.getByText("Ada Lovelace stopped it.")).toBeVisible();
  await expect(stop).toHaveCount(0);
  // It takes no place any more.
  await checks.getByRole("textbox", { name: "Check 1" }).fill("true");
  await checks.getByRole("button", { name: "Try again" }).click();
  await expect(checks.getByRole("status")).toContainText("All passed", { timeout: 60_000 });
});
