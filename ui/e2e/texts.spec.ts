import { expect, expectAccessible, makeProject, test } from "./support";

test("what a card said before is compared and taken back, and a suggestion for it is taken or not", async ({
  page,
  baseURL,
}) => {
  const project = await makeProject(page, baseURL);
  const headers = { origin: new URL(baseURL ?? "").origin };
  await page.request.patch(`/api/projects/${project.id}`, {
    data: { settings: { defaultModel: "simulated" } },
    headers,
  });
  const card = await project.write("Count the open items");
  await page.goto(`/f/${card.id}?tab=overview`);
  await expect(page.getByRole("heading", { name: "Description" })).toBeVisible();
  await expect(page.getByRole("button", { name: /^History/ })).toHaveCount(0);

  // A suggestion stands beside the text; the browser's own undo takes it back.
  await page.keyboard.press("e");
  const editor = page.getByRole("dialog", { name: "Edit card" });
  const field = editor.getByRole("textbox", { name: "Description" });
  const before = "Count the open items.";
  await expect(field).toHaveValue(before);
  const ask = async () => {
    await editor.getByRole("button", { name: "Improve…" }).click();
    await page.getByRole("menuitem", { name: "Add acceptance criteria" }).click();
    await expect(editor.getByRole("region", { name: "From what you wrote to the suggestion" })).toContainText(
      "Acceptance criteria",
      { timeout: 60_000 },
    );
  };
  await ask();
  await expectAccessible(page);
  await expect(field).toHaveValue(before);
  await editor.getByRole("button", { name: "Take the suggestion" }).click();
  await expect(field).toHaveValue(/- \[ \] Count the open items\./);
  await field.press("ControlOrMeta+z");
  await expect(field).toHaveValue(before);
  await ask();
  await editor.getByRole("button", { name: "Take the suggestion" }).click();
  await editor.getByRole("button", { name: "Back to what I wrote" }).click();
  await expect(field).toHaveValue(before);
  await ask();
  await editor.getByRole("button", { name: "Take the suggestion" }).click();
  await field.press("ControlOrMeta+Enter");
  await expect(editor).toHaveCount(0);

  // The history tells of it, beside what the card says now, and leads back.
  await page.getByRole("button", { name: "History (2)" }).click();
  const history = page.getByRole("dialog", { name: "What this card said" });
  await expect(history.getByText("took a suggestion")).toBeVisible();
  await expect(history.getByRole("region", { name: "From version 1 to what it says now" })).toContainText(
    "Acceptance criteria",
  );
  await expectAccessible(page);
  await history.getByRole("button", { name: "Take this text back" }).click();
  await expect(history.getByRole("button", { name: /^Version 3/ })).toContainText("took back Version 1");
  await page.keyboard.press("Escape");
  await expect(history).toHaveCount(0);
  await expect(page.getByRole("button", { name: "History (3)" })).toBeFocused();
  const now = await (await page.request.get(`/api/features/${card.id}`)).json();
  expect(now.description).toBe(before);
});
