import { expect, expectAccessible, listed, makeProject, test } from "./support";

test("an agent is defined, tried, shared and put on a card", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL, "sample");
  const name = `Scout ${Date.now()}`;
  await page.goto("/agents-library");
  await expect(page.getByRole("button", { name: "Builder", exact: true })).toBeVisible();
  await expectAccessible(page);

  await page.getByRole("button", { name: "New agent" }).click();
  const editor = page.getByRole("dialog", { name: "New agent" });
  await editor.getByLabel("Name").fill(name);
  await editor.getByLabel("What it is good for").fill("Finds things.");
  await editor.getByLabel("Prompt").fill("Find what is asked for.");
  await editor.getByLabel("Temperature").fill("7");
  await expect(editor.getByRole("switch", { name: "read", exact: true })).toBeChecked();
  await expect(editor.getByRole("switch", { name: /bash/ })).not.toBeChecked();
  await expectAccessible(page);
  await editor.getByRole("button", { name: "Save" }).click();
  await expect(editor.getByText(/give a number from 0 to 1/).first()).toBeVisible();
  await editor.getByLabel("Temperature").fill("0.2");
  await editor.getByRole("combobox", { name: "Model" }).click();
  await page
    .getByRole("option", { name: /Simulated/ })
    .first()
    .click();
  await editor.getByRole("button", { name: "Save" }).click();
  await expect(editor).toBeHidden();

  // It runs by itself, with the tools that are on and no others.
  await page.getByRole("searchbox", { name: "Search agents" }).fill(name);
  await page.getByRole("button", { name: `Try it: ${name}` }).click();
  const attempt = page.getByRole("dialog", { name: `Try ${name}` });
  await attempt.getByRole("combobox", { name: "Project" }).click();
  await page.getByRole("option", { name: project.name }).click();
  const steps = [{ tools: [["bash", { command: "ls" }]] }, { say: "I have no bash." }];
  const script = steps.map((step) => JSON.stringify(step)).join("\n");
  await attempt.getByLabel("What to do").fill(`Look.\n\n\`\`\`sim\n${script}\n\`\`\``);
  await attempt.getByRole("button", { name: "Run" }).click();
  await expect(attempt.getByText("I have no bash.", { exact: true })).toBeVisible({ timeout: 60_000 });
  await page.keyboard.press("Escape");

  // Shared, it can be chosen on a card, and the card shows it; at the width of a phone as well.
  await page.getByRole("button", { name: `What to do with ${name}` }).click();
  await page.getByRole("menuitem", { name: "Activate" }).click();
  await expect(page.getByText("Active", { exact: true })).toBeVisible();
  await page.setViewportSize({ width: 390, height: 800 });
  await expectAccessible(page);
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.goto(`/p/${project.id}`);
  await expect(page.getByRole("region", { name: "Suggested cards" })).toBeVisible();
  await listed(page, project.name);
  await page.keyboard.press("c");
  const card = page.getByRole("dialog", { name: "New card" });
  await card.getByLabel("Title").fill("Find the bug");
  await card.getByRole("combobox", { name: "Agent" }).click();
  await page.getByRole("option", { name }).click();
  await card.getByRole("button", { name: "Create" }).last().click();
  const written = page.locator("[data-card]").filter({ hasText: "Find the bug" });
  await expect(written.getByText(name)).toBeVisible();
});
