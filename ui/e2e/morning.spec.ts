import { asOwner, cards, expect, expectAccessible, join, makeProject, test } from "./support";

// Two members in two browsers at once: one goes to sleep, the other looks after the agents.
test.use({ storageState: { cookies: [], origins: [] } });

const build = (file: string) =>
  `Write.\n\n\`\`\`sim\n{"tools": [["write", {"path": "${file}", "content": "x\\n"}]]}\n{"say": "Done."}\n\`\`\``;
const silent = 'Wait.\n\n```sim\n{"silence_ms": 600000, "say": "Done."}\n```';

test("the evening before and the morning after, of two members", async ({ page, baseURL, browser }) => {
  const anna = await asOwner(page, baseURL);
  const project = await makeProject(page, baseURL);
  const { page: bens, http: ben } = await join(browser, baseURL, anna);
  const write = (title: string, description: string, more: object = {}) =>
    ben.post(`/api/projects/${project.id}/features`, { title, description, model: "simulated", ...more });

  // The evening: what is to be expected, and what waits for what.
  const form = await write("Guest list", build("form.txt"), { priority: 1 });
  await write("Long haul", silent);
  await write("Log out", build("out.txt"), { dependencies: [form.id] });
  await write("Check the door", 'Look.\n\n```sim\n{"say": "It is shut already."}\n```', { priority: 1 });
  await bens.goto(`/p/${project.id}`);
  await bens.getByRole("button", { name: "Auto mode: off" }).click();
  const dialog = bens.getByRole("dialog", { name: "Auto mode" });
  const expected = dialog.getByRole("region", { name: "What to expect" });
  await expect(expected).toContainText(/No past runs yet|Probably \d+ of 4 cards done by/);
  await expectAccessible(bens);
  await bens.screenshot({ path: "test-results/morning-forecast.png" });
  await dialog.getByRole("button", { name: "Start auto mode" }).click();
  await expect(cards(bens, "Waiting for approval").filter({ hasText: "Guest list" })).toBeVisible();
  await expect(cards(bens, "Waiting for approval").filter({ hasText: "Check the door" })).toBeVisible();
  await expect(cards(bens, "In progress").filter({ hasText: "Long haul" })).toBeVisible();
  await expect(cards(bens, "Backlog").filter({ hasText: "Log out" })).toContainText("Waits for #1");

  // Anna sees whose agents work, what waits and why, and stops Ben's auto mode.
  await page.goto("/agents");
  const working = page.getByRole("listitem").filter({ hasText: "Long haul" });
  await expect(working).toContainText("Ben");
  const queue = page.getByRole("region", { name: "Queue" });
  await expect(queue.getByRole("listitem").filter({ hasText: "Log out" })).toContainText(
    "Waits for #1 Guest list.",
  );
  const stop = page.getByRole("button", { name: `Stop auto mode of Ben in ${project.name}` });
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/morning-agents.png", fullPage: true });
  await stop.click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Stop it" }).click();
  await expect(page.getByRole("alertdialog")).toHaveCount(0);
  await expect(stop).toHaveCount(0);

  // What is at work is finished, or stopped by hand; then Ben is told, and nobody else.
  await bens.goto("/");
  const report = bens.getByRole("region", { name: "Morning report" });
  await page.getByRole("button", { name: "Stop #2" }).click();
  await expect(report).toBeVisible({ timeout: 60_000 });
  await expect(report).toContainText("cards built");
  await expect(report.getByRole("listitem").filter({ hasText: "Check the door" })).toContainText(
    "Changed nothing",
  );
  await expect(report.getByRole("listitem").filter({ hasText: "Guest list" })).toContainText(
    "Look at the changes, then verify or merge.",
  );
  await expect(report.getByRole("listitem").filter({ hasText: "Long haul" })).toContainText("Stopped");
  await expectAccessible(bens);
  await bens.screenshot({ path: "test-results/morning-report.png", fullPage: true });
  await bens.setViewportSize({ width: 390, height: 844 });
  await bens.emulateMedia({ colorScheme: "dark" });
  await expectAccessible(bens);
  await bens.screenshot({ path: "test-results/morning-report-narrow-dark.png", fullPage: true });
  await report.getByRole("button", { name: "Hide" }).click();
  await expect(report.getByText("Guest list")).toHaveCount(0);
  await expect(report.getByText("New")).toHaveCount(0);
  await bens.reload();
  await expect(report.getByRole("button", { name: "Show the report" })).toBeVisible();
  await report.getByRole("link", { name: "Earlier reports" }).click();
  await expect(bens.getByRole("heading", { name: "Morning reports" })).toBeVisible();
  await expect(bens.getByText("Guest list")).toBeVisible();
  await expectAccessible(bens);
  await page.goto("/reports");
  await expect(page.getByText("Guest list")).toHaveCount(0);

  // When and how he is told, he says himself.
  await bens.goto("/settings");
  const settings = bens.getByRole("region", { name: "Morning report" });
  await settings.getByLabel("In the morning at").fill("06:15");
  await settings.getByRole("button", { name: "Save" }).click();
  await expect(bens.getByText("Morning report changed")).toBeVisible();
  await expectAccessible(bens);
  await bens.goto("/agents");
  await bens.screenshot({ path: "test-results/morning-agents-narrow-dark.png", fullPage: true });
  await bens.goto(`/p/${project.id}`);
  await bens.getByRole("button", { name: "Auto mode: off" }).click();
  await expect(expected).toContainText(/No past runs yet|Probably/);
  await expectAccessible(bens);
  await bens.screenshot({ path: "test-results/morning-forecast-narrow-dark.png" });
  await bens.context().close();
});
