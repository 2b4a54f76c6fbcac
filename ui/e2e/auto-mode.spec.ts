import { cards, column, expect, expectAccessible, makeProject, test } from "./support";

/** A card whose agent waits for longer than any test takes. */
const silent = 'Wait.\n\n```sim\n{"silence_ms": 600000, "say": "Done."}\n```';

test("auto mode is switched on, says why cards wait, and stops with everything else", async ({
  page,
  baseURL,
}) => {
  const project = await makeProject(page, baseURL);
  const form = await project.write("Login form", { description: silent, model: "simulated" });
  await project.write("Log out", { description: silent, model: "simulated", dependencies: [form.id] });
  await project.write("Keyless");
  await page.goto(`/p/${project.id}`);
  await expect(cards(page, "Backlog")).toHaveCount(3);
  await page.getByRole("button", { name: "Auto mode: off" }).click();
  const dialog = page.getByRole("dialog", { name: "Auto mode" });
  await dialog.getByRole("switch", { name: "Only at certain hours" }).click();
  for (const day of ["Sat", "Sun"]) await dialog.getByRole("button", { name: day }).click();
  await dialog.getByLabel("From").fill("00:00");
  await dialog.getByLabel("Until").fill("00:00");
  await dialog.getByLabel("Time zone").fill("Atlantis/Capital");
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/auto-mode-dialog.png" });
  await dialog.getByRole("button", { name: "Start auto mode" }).click();
  await expect(dialog.getByRole("alert")).toContainText("is no time zone");
  await dialog.getByLabel("Time zone").fill("Europe/Berlin");
  await dialog.getByRole("button", { name: "Start auto mode" }).click();
  await expect(dialog).toHaveCount(0);
  await expect(page.getByRole("button", { name: "Auto mode: on" })).toBeVisible();
  await expect(column(page, "In progress").getByText("Login form")).toBeVisible();
  await expect(cards(page, "Backlog").filter({ hasText: "Log out" })).toContainText("Waits for #1");
  await expect(cards(page, "Backlog").filter({ hasText: "Keyless" })).toContainText(
    "Auto mode's limit of 1 at once is reached.",
  );
  await page.screenshot({ path: "test-results/auto-mode-board.png" });

  await page.goto("/team");
  await page.getByRole("button", { name: "Stop every agent…" }).click();
  const ask = page.getByRole("alertdialog", { name: "Stop every agent of the team?" });
  await ask.getByRole("button", { name: "Stop all" }).click();
  await expect(page.getByText(/Stopped \d+ runs? and paused \d+ auto modes?/)).toBeVisible();
  await expectAccessible(page);

  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`/p/${project.id}`);
  const banner = page.getByRole("region", { name: "Auto mode is paused" });
  await expect(banner).toContainText("stopped every agent");
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/auto-mode-paused.png" });
  await banner.getByRole("button", { name: "Resume" }).click();
  await expect(banner).toHaveCount(0);
  await page.getByRole("button", { name: "Auto mode: on" }).click();
  await page.screenshot({ path: "test-results/auto-mode-narrow.png" });
  await dialog.getByRole("button", { name: "Stop", exact: true }).click();
  await expect(page.getByRole("button", { name: "Auto mode: off" })).toBeVisible();
});

test("a project says what happens after the work", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  await page.goto(`/p/${project.id}/settings`);
  await page.getByRole("radio", { name: /Verified and merged/ }).check();
  await page.getByLabel("Failing checks go back to the agent").click();
  await page.getByRole("option", { name: "Twice" }).click();
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/after-work.png", fullPage: true });
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByText("Settings saved")).toBeVisible();
  const saved = await (await page.request.get(`/api/projects/${project.id}`)).json();
  expect(saved.settings).toMatchObject({ afterWork: "merge", repairs: 2 });
});
