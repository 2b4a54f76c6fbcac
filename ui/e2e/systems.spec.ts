import type { Locator } from "@playwright/test";
import { expect, expectAccessible, makeProject, resting, shots, test } from "./support";

const say = (words: string) => `\`\`\`sim\n${JSON.stringify({ say: words })}\n\`\`\``;

test("a system is built by keyboard, run, approved, and gives its result", async ({ page, baseURL }) => {
  // Its usual model is the simulated one.
  const project = await makeProject(page, baseURL, "sample");
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.goto("/systems");
  await expect(page.getByRole("heading", { name: "Come with Guildhall" })).toBeVisible();
  await expect(page.getByRole("link", { name: "Feature planning" })).toBeVisible();
  await shots(page, "systems");
  await page.getByRole("button", { name: "New system" }).click();
  await expect(page.getByRole("heading", { name: /Untitled system/ })).toBeVisible();

  const form = page.getByRole("complementary");
  await form.getByLabel("Name").first().fill("Look and approve");
  const graph = page.getByRole("region", { name: "Graph" });
  await graph.getByRole("button", { name: /^Work/ }).focus();
  await page.keyboard.press("Enter");
  await form.getByLabel("What it is asked").fill(`Do {{task}}.\n\n${say("It is done.")}`);
  await form.getByLabel("Keep its result as the variable").fill("made");

  // A step that names what nobody sets is told at its place, and mended.
  await page.getByRole("button", { name: "Add a step after it" }).click();
  await page.getByRole("menuitem", { name: "Human review" }).click();
  const run = page.getByRole("button", { name: "Save and run" });
  const saved: string[] = [];
  page.on("request", (request) => {
    if (request.method() === "PUT" && request.url().includes("/api/systems/")) saved.push(request.url());
  });
  await form.getByLabel("What is shown").fill("Is this good? {{maed}}");
  // Whoever is quicker than the look at it saves nothing, either.
  await run.press("Enter");
  await expect(form.getByRole("alert")).toContainText("maed");
  await expect(graph.getByRole("button", { name: /Review/ })).toContainText("1 problem");
  await expect(page.getByRole("button", { name: "Activate" })).toBeDisabled();
  await expect(run).toHaveAccessibleDescription(
    "Mend its problems first: a system with problems cannot run.",
  );
  // It is in reach, to be asked why; pressing it does nothing, also not a while later.
  await run.focus();
  await page.keyboard.press("Enter");
  await shots(page, "system-problem");
  expect(saved, "a system with problems").toEqual([]);
  await expect(page.getByText("Not saved", { exact: true })).toBeVisible();
  await expect(page.getByRole("dialog"), "a system with problems").toHaveCount(0);
  await form.getByLabel("What is shown").fill("Is this good? {{made}}");
  await expect(page.getByText("No problems")).toBeVisible();

  // Its arrow is deleted by keys, drawn again in the form, and drawn by hand.
  await graph.getByLabel(/^Review follows Work/).focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Delete");
  await expect(graph.getByRole("button", { name: /Together/ })).toBeVisible();
  await shots(page, "system-parted");
  await page.getByRole("button", { name: "Undo" }).click();
  await form.getByRole("button", { name: "At the same time as Work" }).click();
  await expect(graph.getByRole("button", { name: /Together/ })).toBeVisible();
  await form.getByRole("combobox", { name: "Comes after" }).click();
  await page.getByRole("option", { name: "Work" }).click();
  await expect(graph.getByLabel(/^Review follows Work/)).toBeAttached();
  await graph
    .locator(".react-flow__node", { hasText: "Review" })
    .last()
    .locator(".react-flow__handle.source")
    .dragTo(
      graph.locator(".react-flow__node", { hasText: "Work" }).last().locator(".react-flow__handle.target"),
    );
  await expect(graph.getByLabel(/^Work follows Review/)).toBeAttached();
  for (let n = 0; n < 3; n++) await page.getByRole("button", { name: "Undo" }).click();
  await expect(graph.getByRole("button", { name: /Together/ })).toHaveCount(0);
  await expect(graph.getByLabel(/^Review follows Work/)).toBeAttached();

  await page.getByRole("button", { name: "Add a step after it" }).click();
  await page.getByRole("menuitem", { name: "Parallel" }).click();
  await expect(graph.getByRole("button", { name: /Together/ })).toBeVisible();
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(graph.getByRole("button", { name: /Together/ })).toHaveCount(0);
  await page.getByRole("button", { name: "List", exact: true }).click();
  await expect(
    page.getByRole("region", { name: "List" }).getByRole("button", { name: /^Review/ }),
  ).toBeVisible();
  await page.getByRole("button", { name: "Graph", exact: true }).click();
  await page.getByRole("button", { name: "Activate" }).click();
  await expect(page.getByText("Saved", { exact: true })).toBeVisible();
  await expect(page.getByText("Active", { exact: true })).toBeVisible();

  await page.getByRole("button", { name: "Run", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("combobox", { name: "Project" }).click();
  await page.getByRole("option", { name: project.name }).click();
  await dialog.getByLabel("Task").fill("the work");
  await dialog.getByRole("button", { name: "Run" }).click();
  await expect(page).toHaveURL(/\/executions\//);
  const side = page.getByRole("complementary");
  await expect(side.getByText("Is this good? It is done.")).toBeVisible({ timeout: 60_000 });
  await expect(page.getByRole("region", { name: "Graph" }).getByText("Completed")).toBeVisible();
  await expect(page.getByText("Waits for a person").first()).toBeVisible();
  await shots(page, "execution-waiting");
  await side.getByLabel("A word with it").fill("Good.");
  await side.getByRole("button", { name: "Approve" }).click();
  await expect(page.getByRole("heading", { name: /Look and approve/ })).toContainText("Completed");
  await page.getByRole("region", { name: "Graph" }).getByRole("button", { name: /^Work/ }).click();
  await expect(side.getByText("It is done.").first()).toBeVisible();
  await expect(side.getByRole("link", { name: "Watch its agent" })).toBeVisible();
  await shots(page, "execution-done");
});

test("a running execution is drawn while it works, and cancelled", async ({ page, baseURL }) => {
  // What a try before this one left at work takes the places of a member's tasks.
  const { items } = await (await page.request.get("/api/executions?open=true")).json();
  const headers = { origin: new URL(baseURL ?? "").origin };
  for (const { id } of items) await page.request.post(`/api/executions/${id}/cancel`, { headers });
  // Without its simulated model the agents would have none, and soon fail.
  const project = await makeProject(page, baseURL, "sample");
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.goto("/systems");
  await page.getByRole("button", { name: "Run Research" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("combobox", { name: "Project" }).click();
  await page.getByRole("option", { name: project.name }).click();
  const silent = `\`\`\`sim\n${JSON.stringify({ silence_ms: 600_000, say: "Late." })}\n\`\`\``;
  await dialog.getByLabel("Question").fill(`What is here?\n\n${silent}`);
  await dialog.getByRole("button", { name: "Run" }).click();
  const graph = page.getByRole("region", { name: "Graph" });
  await expect(graph.getByText("Running").first()).toBeVisible({ timeout: 60_000 });
  await shots(page, "execution-running");
  await page.getByRole("button", { name: "End execution" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "End execution" }).click();
  await expect(page.getByRole("heading", { name: /Research/ })).toContainText("Cancelled");
  // Once more with the same input.
  const first = page.url();
  await page.getByRole("button", { name: "Run again" }).click();
  await expect(dialog.getByLabel("Question")).toHaveValue(`What is here?\n\n${silent}`);
  await expect(dialog.getByRole("combobox", { name: "Project" })).toContainText(project.name);
  await dialog.getByRole("button", { name: "Run" }).click();
  await expect(page).not.toHaveURL(first);
  await page.getByRole("button", { name: "End execution" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "End execution" }).click();
  await expect(page.getByRole("heading", { name: /Research/ })).toContainText("Cancelled");
  await page.goto("/systems");
  await expect(page.getByRole("link", { name: "Research" }).last()).toBeVisible();
});

test("planned cards are shown as what they become, and lead to it", async ({ page, baseURL }) => {
  // Its usual model is the simulated one.
  const project = await makeProject(page, baseURL, "sample");
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.goto("/systems");
  await page.getByRole("button", { name: "Run Feature planning" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("combobox", { name: "Project" }).click();
  await page.getByRole("option", { name: project.name }).click();
  const cards = [
    {
      title: "Mark an item",
      description: "Add `todo done`:\n\n- with a test",
      priority: 1,
      category: "commands",
    },
    { title: "Count them", description: "It prints a number.", priority: 3 },
  ];
  await dialog.getByLabel("Goal").fill(`Plan it.\n\n${say(JSON.stringify({ cards }))}`);
  await dialog.getByRole("button", { name: "Run" }).click();
  const side = page.getByRole("complementary");
  const planned = side.getByRole("list", { name: "2 cards that are planned" });
  await expect(planned.getByText("Mark an item")).toBeVisible({ timeout: 60_000 });
  await expect(planned.getByRole("listitem").filter({ hasText: "with a test" }).first()).toBeVisible();
  await expect(planned.getByRole("img", { name: "Priority: High" })).toBeVisible();
  await expect(side.getByText("{")).toHaveCount(0);
  await shots(page, "execution-planned");
  await side.getByRole("button", { name: "Approve" }).click();
  await expect(page.getByRole("heading", { name: /Feature planning/ })).toContainText("Completed");
  await side.getByRole("link", { name: "Count them" }).click();
  await expect(page).toHaveURL(/\/f\//);
  await expect(page.getByText("It prints a number.").first()).toBeVisible();
});

test("what a system has is set in its form, and its steps stand where they were put", async ({ page }) => {
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.goto("/systems");
  await page.getByRole("button", { name: "New system" }).click();
  const form = page.getByRole("complementary");
  const graph = page.getByRole("region", { name: "Graph" });
  await form.getByText("Variables, labels and result").click();
  await form.getByLabel("Category").fill("Planning");
  await form.getByLabel("Labels").fill("one, two");
  await form.getByRole("button", { name: "Add a variable" }).click();
  await form.getByLabel("Value of value").fill("3");
  await form.getByText("More about “Task”").click();
  await form.getByLabel("What is meant by it").fill("What is to be done.");
  await form.getByLabel("Characters at most").fill("200");
  await expectAccessible(page);

  // A second step, drawn aside with the pointer.
  await page.getByRole("button", { name: "Add a step" }).click();
  await page.getByRole("menuitem", { name: "Human review" }).click();
  await form.getByLabel("What is shown").fill("Is this good?");
  const node = graph.locator(".react-flow__node", { hasText: "Review" });
  const first = graph.locator(".react-flow__node", { hasText: "Work" });
  const middle = async (one: Locator) => {
    const { x, y, width, height } = (await one.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    return { x: x + width / 2, y: y + height / 2 };
  };
  // With a second step all are laid out anew: a pointer that comes down beside it draws the whole picture.
  await resting(node);
  await resting(first);
  const [from, stays] = [await middle(node), await middle(first)];
  const layOut = page.getByRole("button", { name: "Lay out by itself", exact: true });
  await expect(layOut).toHaveCount(0);
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(from.x + 150, from.y + 60, { steps: 40 });
  await page.mouse.up();
  await expect(layOut).toBeVisible();
  await resting(node);
  const aside = await middle(node);
  expect(Math.abs(aside.x - from.x - 150)).toBeLessThan(10);
  expect(Math.abs(aside.y - from.y - 60)).toBeLessThan(10);
  expect(await middle(first)).toEqual(stays);
  await expect(graph.getByLabel(/^Review follows Work/)).toBeAttached();
  await shots(page, "system-placed");
  // To draw it is not to choose another.
  await expect(form.getByLabel("What is shown")).toBeVisible();

  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByText("Saved", { exact: true })).toBeVisible();
  await page.reload();
  const left = async () => (await middle(node)).x - (await middle(first)).x;
  await expect(layOut).toBeVisible();
  await expect.poll(left).toBeGreaterThan(100);
  await form.getByText("Variables, labels and result").click();
  await expect(form.getByLabel("Category")).toHaveValue("Planning");
  await expect(form.getByLabel("Labels")).toHaveValue("one, two");
  await expect(form.getByLabel("Value of value")).toHaveValue("3");
  await form.getByText("More about “Task”").click();
  await expect(form.getByLabel("Characters at most")).toHaveValue("200");

  await layOut.click();
  await expect.poll(async () => Math.abs(await left())).toBeLessThan(2);
  // The same by keys.
  await graph.getByRole("button", { name: /^Review/ }).click();
  await form.getByRole("button", { name: "Place it by hand" }).press("Enter");
  await form.getByLabel("From the left").fill("240");
  await expect.poll(left).toBeGreaterThan(100);
  await form.getByRole("button", { name: "Lay it out by itself" }).click();
  await expect.poll(async () => Math.abs(await left())).toBeLessThan(2);
  await expect(layOut).toHaveCount(0);
});
