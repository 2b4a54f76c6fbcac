import { cards, column, expect, expectAccessible, makeProject, test } from "./support";

test("the focus comes back to what opened a window", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  await project.write("Log in");
  await page.goto(`/p/${project.id}`);
  await expect(cards(page, "Backlog")).toHaveCount(1);
  const toolbar = page.getByRole("button", { name: "New card" }).first();
  const plus = column(page, "Backlog").getByRole("button", { name: "New card" });
  const search = page.getByRole("button", { name: /^Search or do/ });
  const editor = page.getByRole("dialog", { name: "New card" });
  const palette = page.getByRole("dialog", { name: "Search and commands" });
  const closes = async (dialog: typeof editor, back: typeof editor) => {
    await expect(dialog).toBeVisible();
    await page.keyboard.press("Escape");
    await expect(dialog).toHaveCount(0);
    await expect(back).toBeFocused();
  };
  await toolbar.click();
  await closes(editor, toolbar);
  await toolbar.press("Enter");
  await closes(editor, toolbar);
  await toolbar.press("c");
  await closes(editor, toolbar);
  await plus.click();
  await closes(editor, plus);
  await search.click();
  await closes(palette, search);
  // And over two windows: what opened the first one.
  await search.click();
  await page.keyboard.type(`New card in ${project.name}`);
  await page.keyboard.press("Enter");
  await closes(editor, search);
});

test("a card that is edited is written in at once", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  await project.write("Log in");
  await page.goto(`/p/${project.id}`);
  await page.getByRole("link", { name: "Log in" }).focus();
  await page.keyboard.press("e");
  await expect(page.getByRole("textbox", { name: "Description" })).toBeFocused();
});

test("a card is written from wherever one is", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  const card = await project.write("Log in");
  await page.goto(`/p/${project.id}`);
  await expect(cards(page, "Backlog")).toHaveCount(1);
  const editor = page.getByRole("dialog", { name: "New card" });
  for (const address of ["/agents", `/f/${card.id}`]) {
    await page.goto(address);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    // The card is for a project: they have to be there.
    await expect(page.getByRole("link", { name: project.name }).first()).toBeVisible();
    await page.keyboard.press("c");
    await expect(editor).toBeVisible();
    await page.keyboard.press("Escape");
    await expect(editor).toHaveCount(0);
  }
  // What is called by no name becomes one: by none that a try before this one may have left.
  const title = Array.from({ length: 3 }, () => Math.random().toString(36).slice(2, 9)).join(" ");
  await page.keyboard.press("ControlOrMeta+k");
  await page.keyboard.type(title);
  await expect(page.getByRole("option")).toHaveText([new RegExp(`Write the card “${title}”`)]);
  await expectAccessible(page);
  await page.keyboard.press("Enter");
  await expect(editor.getByLabel("Title")).toHaveValue(title);
  await editor.getByRole("button", { name: "Create", exact: false }).last().click();
  // Whoever leaves earlier breaks off what is being sent.
  await expect(editor).toHaveCount(0);
  await page.goto(`/p/${project.id}`);
  await expect(cards(page, "Backlog")).toHaveCount(2);
});

test("a card is written on a board before the list of projects is there", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  let go = () => {};
  const held = new Promise<void>((resolve) => {
    go = resolve;
  });
  await page.route(/\/api\/projects(\?|$)/, async (route) => {
    await held;
    await route.continue();
  });
  await page.goto(`/p/${project.id}`);
  await expect(page.getByRole("heading", { name: "This board is empty" })).toBeVisible();
  await page.keyboard.press("c");
  const editor = page.getByRole("dialog", { name: "New card" });
  await editor.getByLabel("Title").fill("Early");
  await expect(page.getByRole("link", { name: project.name, includeHidden: true })).toHaveCount(0);
  go();
  await page.keyboard.press("ControlOrMeta+Enter");
  await expect(cards(page, "Backlog")).toContainText(["Early"]);
});

test("the palette shows places before what there is of every project", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  await makeProject(page, baseURL);
  await page.goto(`/p/${project.id}`);
  await expect(page.getByRole("heading", { level: 1 })).toContainText(project.name);
  await page.keyboard.press("ControlOrMeta+k");
  const options = page.getByRole("option");
  await expect(options.first()).toHaveText(new RegExp(`New card in ${project.name}`));
  const all = await options.allTextContents();
  expect(all.filter((text) => text.startsWith("New card in"))).toHaveLength(1);
  expect(all.findIndex((text) => text.startsWith("Inbox"))).toBeLessThan(
    all.findIndex((text) => text.startsWith(project.name)),
  );
});
