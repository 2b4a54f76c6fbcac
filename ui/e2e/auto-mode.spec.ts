import { asPage, cards, column, expect, expectAccessible, makeProject, test } from "./support";

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
  await expect(cards(page, "Backlog").filter({ hasText: "Keyless" })).toContainText("There is no key");
  await page.screenshot({ path: "test-results/auto-mode-board.png" });

  // The palette asks as well, and does nothing without an answer.
  await page.keyboard.press("ControlOrMeta+k");
  await page.getByRole("combobox").fill("kill switch");
  await page.getByRole("option", { name: "Stop every agent…" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Cancel" }).click();
  await page.goto("/agents");
  await page.getByRole("button", { name: "Stop every agent…" }).click();
  const ask = page.getByRole("alertdialog", { name: "Stop every agent of the team?" });
  await ask.getByRole("button", { name: "Stop all" }).click();
  await expect(page.getByText(/Stopped \d+ runs? and paused \d+ auto modes?/)).toBeVisible();
  await expectAccessible(page);

  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`/p/${project.id}`);
  const banner = page.getByRole("region", { name: "Auto mode is paused" });
  await expect(banner).toContainText("stopped every agent");
  await expect(banner).toContainText("1 stopped card goes on with it.");
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/auto-mode-paused.png" });
  await banner.getByRole("button", { name: "Resume" }).click();
  await expect(banner).toHaveCount(0);
  // What it was at work on goes on, in the same run.
  const runs = async () => (await (await page.request.get(`/api/features/${form.id}/runs`)).json()).items;
  await expect
    .poll(async () => (await runs()).map((run: { status: string }) => run.status))
    .toEqual(["running"]);
  await page.getByRole("button", { name: "Auto mode: on" }).click();
  await page.screenshot({ path: "test-results/auto-mode-narrow.png" });
  await dialog.getByRole("button", { name: "Stop", exact: true }).click();
  await expect(page.getByRole("button", { name: "Auto mode: off" })).toBeVisible();
  await expect(page.getByText("what rests is stopped until you start it again")).toBeVisible();
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

test("chats and tasks stand with the agents at work, and are stopped there", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  const http = asPage(page.request, baseURL);
  const title = `Quiet talk ${project.name}`;
  const { feature } = await http.post(`/api/projects/${project.id}/chats`, {
    title,
    message: silent,
    model: "simulated",
    mode: "read",
  });
  await page.goto("/agents");
  const row = page
    .getByRole("region", { name: "Chats and tasks" })
    .getByRole("listitem")
    .filter({ hasText: title });
  await expect(row).toContainText("Ada Lovelace");
  await expect(row).toContainText(`Chat · ${project.name}`);
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/agents-asides.png", fullPage: true });
  await row.getByRole("link", { name: title }).click();
  await expect(page).toHaveURL(new RegExp(`/chat/${feature.id}`));
  await page.goBack();
  await page.setViewportSize({ width: 390, height: 844 });
  await expectAccessible(page);
  await row.getByRole("button", { name: `Stop “${title}”` }).click();
  await expect(row).toHaveCount(0);
});

test("a report says what did not begin, and why", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  const card = await project.write("Log out");
  const group = (message: string, count: number) => ({
    projectId: project.id,
    waiting: { code: "dependencies", features: [card.id], message },
    count,
    cards: [{ featureId: card.id, number: 1, title: "Log out" }],
  });
  const nothing = { workedMs: 0, providerMs: 0, restMs: 0, tokens: 0, costMicros: 0 };
  const counts = { built: 0, merged: 0, waiting: 0, failed: 0, underWay: 0 };
  const report = {
    id: "0199c0de-0000-7000-8000-000000000001",
    cause: "window-closed",
    from: "2026-01-09T21:00:00Z",
    until: "2026-01-10T06:00:05Z",
    readAt: null,
    ...counts,
    total: nothing,
    cards: [],
    forecasts: [],
    pauses: [],
    notBegun: [group("Waits for #2 Login form.", 7), group("There is no key for this model's provider.", 1)],
  };
  await page.route("**/api/reports/latest", (route) => route.fulfill({ json: { report } }));
  await page.goto("/");
  const shown = page.getByRole("region", { name: "Morning report" });
  await expect(shown).toContainText("did not begin8");
  const first = shown.getByRole("listitem").filter({ hasText: "Waits for #2 Login form." });
  await expect(first).toContainText(`7 cards of ${project.name} did not begin`);
  await expect(first).toContainText("and 6 more");
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/report-not-begun.png" });
  await first.getByRole("link", { name: "#1 Log out" }).click();
  await expect(page).toHaveURL(new RegExp(`/p/${project.id}`));
});
