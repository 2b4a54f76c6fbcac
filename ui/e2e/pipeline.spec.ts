import { cards, expect, expectAccessible, makeProject, shots, test } from "./support";

const script = (...lines: object[]) =>
  `\`\`\`sim\n${lines.map((line) => JSON.stringify(line)).join("\n")}\n\`\`\``;
const write = (path: string) => ({ tools: [["write", { path, content: "x\n" }]] });

test("a pipeline is written by keyboard, and finished work passes it", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  await page.goto(`/p/${project.id}/settings`);
  await page.getByRole("button", { name: "Add documentation" }).click();
  await page.getByRole("button", { name: "Add a review" }).click();
  const review = page.getByRole("listitem", { name: "Step 2: Review" });
  const looks = [
    script({ tools: [["request_changes", { changes: "Write **mended.txt** as well." }]] }),
    script({ say: "All is well now." }),
  ];
  await review.getByLabel("Instructions").fill(looks.join("\n\n"));
  await page.getByRole("button", { name: "Move Review up" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("listitem", { name: "Step 1: Review" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Move Review down" })).toBeFocused();
  await shots(page, "pipeline-settings");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByText("Settings saved")).toBeVisible();
  await page.reload();
  await expect(page.getByRole("listitem", { name: "Step 1: Review" })).toBeVisible();
  await expect(page.getByRole("listitem", { name: "Step 2: Documentation" })).toBeVisible();

  const description = script(write("work.txt"), { say: "Done." }, write("mended.txt"), { say: "Mended." });
  const card = await project.write("Pass me", { description, model: "simulated" });
  await page.request.post(`/api/features/${card.id}/start`, {
    headers: { origin: new URL(baseURL ?? "").origin },
  });
  await page.goto(`/p/${project.id}`);
  await expect(cards(page, "Waiting for approval")).toHaveCount(1, { timeout: 60_000 });
  await page.goto(`/f/${card.id}?tab=live`);
  const live = page.getByLabel("What happens in this run");
  await expect(live.getByText("Review: asked for changes")).toBeVisible();
  await expect(live.getByText("Review, look 2", { exact: false })).toBeVisible();
  await expect(live.getByText("Documentation: passed")).toBeVisible();
  await page.screenshot({ path: "test-results/pipeline-live.png" });
  await page.getByRole("tab", { name: "Checks" }).click();
  const asked = page.getByRole("button", { name: /Review.*Asked for changes/ });
  await expect(asked).toHaveAttribute("aria-expanded", "true");
  await expect(page.getByText("mended.txt", { exact: false }).first()).toBeVisible();
  await expect(page.getByRole("button", { name: /Documentation.*Passed/ })).toBeVisible();
  await shots(page, "pipeline-checks");
});

test("a card shows the step that it is in, and what a step that does not pass says", async ({
  page,
  baseURL,
}) => {
  const project = await makeProject(page, baseURL);
  const instructions = [
    script(
      { tools: [["bash", { command: "sleep 10" }]] },
      { tools: [["request_changes", { changes: "No." }]] },
    ),
  ];
  const settings = {
    pipeline: [{ name: "Security pass", instructions: instructions.join("\n"), returns: 0 }],
  };
  const headers = { origin: new URL(baseURL ?? "").origin };
  await page.request.patch(`/api/projects/${project.id}`, { data: { settings }, headers });
  const description = script(write("work.txt"), { say: "Done." });
  const card = await project.write("Stop me", { description, model: "simulated" });
  await page.goto(`/p/${project.id}`);
  await page.request.post(`/api/features/${card.id}/start`, { headers });
  await expect(cards(page, "In progress").filter({ hasText: "Security pass" })).toBeVisible({
    timeout: 60_000,
  });
  await page.screenshot({ path: "test-results/pipeline-board.png" });
  await expect(cards(page, "Waiting for approval")).toHaveCount(1, { timeout: 60_000 });
  await page.goto(`/f/${card.id}`);
  await expect(
    page.getByText("The pipeline step “Security pass” did not pass.", { exact: false }).first(),
  ).toBeVisible();
  await expectAccessible(page);
});

test("tasks are ticked off in phases, in a plan that nobody has to approve", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  const tasks = [
    { title: "Lay the ground", phase: "1. Groundwork" },
    { title: "Build it", phase: "2. The work" },
    { title: "Look again", phase: "2. The work" },
  ];
  const tick = (number: number) => ({
    tools: [["update_tasks", { tasks: [{ number, status: "completed" }] }]],
  });
  const description = script(
    { tools: [["propose_plan", { text: "# What comes", tasks }]] },
    { tools: [["update_tasks", { tasks: [{ number: 1, status: "completed" }] }]] },
    { silence_ms: 12_000, ...tick(2) },
    { say: "Done." },
  );
  const card = await project.write("Plan me", { description, model: "simulated", planningMode: "full" });
  await page.goto(`/p/${project.id}`);
  const headers = { origin: new URL(baseURL ?? "").origin };
  await page.request.post(`/api/features/${card.id}/start`, { headers });
  await expect(
    cards(page, "In progress")
      .filter({ hasText: "1/3" })
      .or(cards(page, "In progress").filter({ hasText: "1 of 3" })),
  ).toBeVisible({ timeout: 60_000 });
  await page.goto(`/f/${card.id}?tab=plan`);
  await expect(page.getByText("Needs no approval")).toBeVisible();
  await expect(page.getByRole("heading", { name: "What comes" })).toBeVisible();
  await expect(page.getByText("1. Groundwork")).toBeVisible();
  await expect(page.getByText("2. The work")).toHaveCount(1);
  await expect(page.getByRole("listitem").filter({ hasText: "Build it" })).toContainText("done:", {
    timeout: 60_000,
  });
  await shots(page, "plan-phases");
});

test("checks are tried before anything depends on them", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  await page.goto(`/p/${project.id}/settings`);
  await expect(page.getByRole("button", { name: "Try the checks" })).toBeDisabled();
  await page.getByRole("button", { name: "Add a check" }).click();
  await page.getByLabel("Check 1", { exact: true }).fill("ls README.md && sleep 5");
  await page.getByRole("button", { name: "Add a check" }).click();
  await page.getByLabel("Check 2", { exact: true }).fill("echo 'no such test' && exit 1");
  await page.getByLabel("Minutes that each may take").fill("5");
  await page.getByRole("button", { name: "Try the checks" }).click();
  await expect(page.getByText("They run", { exact: true })).toBeVisible();
  await expect(page.getByText("Not all passed")).toBeVisible({ timeout: 60_000 });
  await expect(page.getByText("no such test", { exact: true })).toBeVisible();
  await shots(page, "checks-tried");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByText("Settings saved")).toBeVisible();
  const saved = await (await page.request.get(`/api/projects/${project.id}`)).json();
  expect(saved.settings.checkMinutes).toBe(5);
});

test("rate limits are shown while they are used", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  const description = script({ tools: [["glob", { pattern: "*" }]] }, { say: "Done." });
  const card = await project.write("Call", { description, model: "simulated" });
  const headers = { origin: new URL(baseURL ?? "").origin };
  await page.request.post(`/api/features/${card.id}/start`, { headers });
  await page.goto("/agents");
  await page
    .getByRole("button", { name: "Rate limits" })
    .or(page.getByRole("link", { name: "Rate limits" }))
    .first()
    .click();
  await expect(page).toHaveURL(/\/operation\/limits$/);
  const lane = page.getByRole("region", { name: /Simulated/ }).first();
  await expect(lane).toBeVisible({ timeout: 60_000 });
  await expect(lane.getByRole("table", { name: undefined }).last()).toContainText("Ada Lovelace");
  await expect(lane.getByText("In the last hour")).toBeVisible();
  await shots(page, "rate-limits");
});
