import { cards, column, expect, expectAccessible, listed, makeProject, overhang, test } from "./support";

const FIRST = "Say in the README that items stay in order.";

test("a plan is sent back, made anew, changed and approved, and the work follows it", async ({
  page,
  baseURL,
}) => {
  test.setTimeout(300_000);
  const project = await makeProject(page, baseURL, "sample");
  await page.goto(`/p/${project.id}`);
  await expect(page.getByRole("region", { name: "Suggested cards" })).toBeVisible();
  await listed(page, project.name);

  // A card is written whose plan a person approves: only where there is a plan.
  await page.keyboard.press("c");
  const editor = page.getByRole("dialog", { name: "New card" });
  await editor.getByLabel("Title").fill("Export as JSON");
  await editor.getByLabel("Description").fill("`todo json` prints the list as JSON.");
  await expect(editor.getByRole("switch", { name: /approves the plan/ })).toHaveCount(0);
  await editor.getByRole("combobox", { name: "Planning" }).click();
  await page.getByRole("option", { name: /Specification/ }).click();
  await editor.getByRole("switch", { name: "A person approves the plan" }).click();
  await expect(editor.getByRole("switch", { name: "A person approves the plan" })).toBeChecked();
  await editor.getByRole("button", { name: "Create and start" }).click();

  // The board and the inbox say that it waits.
  const card = cards(page, "In progress").filter({ hasText: "Export as JSON" });
  await expect(card.getByText("Its plan waits for you")).toBeVisible({ timeout: 60_000 });
  await page.goto("/");
  const group = page.getByRole("region", { name: "Plans to approve" });
  await group.getByRole("link", { name: "Export as JSON" }).first().click();

  // It is read, and sent back by keyboard.
  const feature = page.getByRole("complementary", { name: "Feature" });
  const plan = feature.getByRole("region", { name: "Version 1" });
  await expect(plan.getByText("the command, in a file like the others")).toBeVisible();
  await expect(feature.getByRole("tab", { name: "Plan" })).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("Shift+R");
  await expect(feature.getByLabel("What should be different?")).toBeFocused();
  await page.keyboard.type(FIRST);
  await page.keyboard.press("Control+Enter");

  // The next version, and what changed.
  const second = feature.getByRole("region", { name: "Version 2" });
  await expect(second.getByRole("listitem").filter({ hasText: `Take up: ${FIRST}` })).toBeVisible({
    timeout: 60_000,
  });
  await feature.getByRole("checkbox", { name: "What changed since version 1" }).check();
  await expect(second.getByText("+")).not.toHaveCount(0);
  await expect(second.getByText(`- Take up: ${FIRST}`)).toBeVisible();
  await expectAccessible(page);
  await feature.getByRole("button", { name: "Version 1" }).click();
  await expect(plan.getByText("Why it was rejected")).toBeVisible();
  await expect(plan.getByText("Rejected by Ada Lovelace")).toBeVisible();
  await feature.getByRole("button", { name: "Version 2" }).click();

  // Approved with a change: what is typed survives a reload.
  await feature.getByRole("button", { name: "Change" }).click();
  const tasks = feature.getByRole("textbox", { name: "Tasks" });
  await tasks.fill(`${await tasks.inputValue()}\n- Look at it once more`);
  await page.reload();
  await feature.getByRole("button", { name: "Change" }).click();
  await expect(tasks).toHaveValue(/Look at it once more/);
  await feature.getByRole("button", { name: "Approve with changes" }).click();
  const third = feature.getByRole("region", { name: "Version 3" });
  await expect(third.getByText("Changed and approved by Ada Lovelace")).toBeVisible();
  await expect(third.getByText("Look at it once more")).toBeVisible();

  // The work is done by that plan, and its tasks are ticked.
  await expect(column(page, "Waiting for approval").getByText("Export as JSON")).toBeVisible({
    timeout: 60_000,
  });
  await expect(third.getByText("done:")).toHaveCount(6);
  await feature.getByRole("tab", { name: /Live/ }).click();
  await expect(feature.getByText("Ada Lovelace rejected version 1 of the plan")).toBeVisible();
  await expect(feature.getByText("Ada Lovelace changed the plan and approved it as version 3")).toBeVisible();
  await feature.getByRole("tab", { name: /Changes/ }).click();
  await expect(feature.getByText("commands/json.sh").first()).toBeVisible();
});

for (const [width, colorScheme] of [
  [390, "light"],
  [390, "dark"],
  [1440, "dark"],
] as const) {
  test.describe(`at ${width} px in ${colorScheme}`, () => {
    test.use({ viewport: { width, height: 900 }, colorScheme, contextOptions: { reducedMotion: "reduce" } });

    test("a plan that waits fits and is accessible", async ({ page, baseURL }) => {
      const project = await makeProject(page, baseURL, "sample");
      const card = await project.write("Count the open items", { requirePlanApproval: true });
      expect(card.planningMode).toBe("spec");
      const started = await page.request.post(`/api/features/${card.id}/start`, {
        headers: { origin: new URL(baseURL ?? "").origin },
      });
      expect(started.status()).toBe(202);
      const stage = async () => (await (await page.request.get(`/api/features/${card.id}`)).json()).stage;
      await expect.poll(stage, { timeout: 60_000 }).toBe("plan_approval");
      await page.goto(`/f/${card.id}`);
      await expect(page.getByText("Until you decide, the agent changes no file.")).toBeVisible();
      await page.screenshot({ path: `test-results/plan-${width}-${colorScheme}.png` });
      await expectAccessible(page);
      const wide = () => overhang(page);
      await expect.poll(wide).toBeLessThanOrEqual(0);
      await page.getByRole("button", { name: "Change" }).click();
      await page.screenshot({ path: `test-results/plan-change-${width}-${colorScheme}.png` });
      await expectAccessible(page);
      await expect.poll(wide).toBeLessThanOrEqual(0);
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Reject" }).click();
      await expect(page.getByLabel("What should be different?")).toBeFocused();
      await expectAccessible(page);
      await page.keyboard.press("Escape");
      await page.getByRole("tab", { name: /Live/ }).click();
      await page.getByRole("button", { name: "Look at the plan" }).click();
      await page.getByRole("button", { name: "Approve" }).click();
      await expect.poll(stage, { timeout: 60_000 }).not.toBe("plan_approval");
    });
  });
}
