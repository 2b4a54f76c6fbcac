import { cards, expect, expectAccessible, makeProject, shots, test } from "./support";

const script = (...steps: object[]) =>
  `Please.\n\n\`\`\`sim\n${steps.map((step) => JSON.stringify(step)).join("\n")}\n\`\`\``;

test("a member talks with an agent, lets it change files, and takes that to the board", async ({
  page,
  baseURL,
}) => {
  const project = await makeProject(page, baseURL, "sample");
  await page.goto(`/chat?p=${project.id}`);
  const field = page.getByRole("textbox", { name: "Your message" });
  await expect(field).toBeVisible();
  await expectAccessible(page);

  // What is typed survives a reload; Shift and Enter begins a line, Enter sends.
  await field.fill("What is this project?");
  await page.reload();
  await expect(field).toHaveValue("What is this project?");
  await field.press("Shift+Enter");
  await field.pressSequentially("In a sentence.");
  await expect(field).toHaveValue("What is this project?\nIn a sentence.");
  await page.getByRole("combobox", { name: "Model" }).click();
  await page
    .getByRole("option", { name: /Simulated/ })
    .first()
    .click();
  await field.press("Enter");
  await expect(page).toHaveURL(/\/chat\/[0-9a-f-]{36}/);
  const talk = page.getByRole("article", { name: "What is this project?" });
  await expect(talk.getByText("changed nothing")).toBeVisible({ timeout: 60_000 });
  await expect(talk.getByRole("tab", { name: "Changes" })).toHaveCount(0);
  await expectAccessible(page);

  // An image that is pasted and a text that is chosen go along, and show in the conversation.
  const pixel =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  await field.evaluate((el, data) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File([bytes], "dot.png", { type: "image/png" }));
    el.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, pixel);
  const picked = page.waitForEvent("filechooser");
  await talk.getByRole("button", { name: "Attach images or text files" }).click();
  const notes = { name: "notes.md", mimeType: "text/markdown", buffer: Buffer.from("It is a dot.") };
  await (await picked).setFiles([notes, { ...notes, name: "other.md" }]);
  const queued = talk.getByRole("list", { name: "Attachments" });
  await expect(queued.getByRole("listitem")).toHaveCount(3);
  await queued.getByRole("button", { name: "Remove other.md" }).click();
  await expectAccessible(page);
  await shots(page, "chat-files");
  await field.fill(script({ say: "I see a dot." }));
  await field.press("Enter");
  // Not the script above it, which says that it is to be said; and only who has done can be made a card of.
  const toCard = page.getByRole("button", { name: "Turn into a card" });
  await expect(talk.getByText("I see a dot.", { exact: true }).last()).toBeVisible({ timeout: 60_000 });
  await expect(toCard).toBeVisible({ timeout: 60_000 });
  await expect(queued).toHaveCount(0);
  const came = talk.getByRole("list", { name: "Files that came with it" });
  await expect(came.getByRole("link", { name: "notes.md" })).toBeVisible();
  const image = came.getByRole("img", { name: "dot.png" });
  await expect.poll(() => image.evaluate((el: HTMLImageElement) => el.naturalWidth)).toBe(1);

  // From now on it may change files.
  await talk.getByRole("combobox", { name: "What it may do" }).click();
  await page.getByRole("option", { name: /May change files/ }).click();
  await field.fill(
    script({ tools: [["write", { path: "hello.txt", content: "hello\n" }]] }, { say: "It is written." }),
  );
  await field.press("Enter");
  await expect(talk.getByText("It is written.", { exact: true }).last()).toBeVisible({ timeout: 60_000 });
  await expect(toCard).toBeVisible({ timeout: 60_000 });
  await talk.getByRole("tab", { name: /Changes/ }).click();
  await expect(talk.getByText("hello.txt").first()).toBeVisible();
  await expectAccessible(page);

  // The list knows it, at the width of a phone as well.
  await page.setViewportSize({ width: 390, height: 800 });
  await page.getByRole("link", { name: "All chats" }).click();
  const list = page.getByRole("navigation", { name: "Chats" });
  await expectAccessible(page);
  await list.getByRole("link", { name: /What is this project/ }).click();
  await expect(talk).toBeVisible();
  await page.setViewportSize({ width: 1440, height: 900 });
  await talk.getByRole("button", { name: "More to do with this chat" }).click();
  await page.getByRole("menuitem", { name: "Rename" }).click();
  const rename = page.getByRole("dialog", { name: "Rename" });
  await rename.getByLabel("Title").fill("A greeting");
  await rename.getByRole("button", { name: "Rename" }).click();
  await expect(list.getByRole("link", { name: /A greeting/ })).toBeVisible();

  // It becomes a card, with all of it.
  await toCard.click();
  const dialog = page.getByRole("dialog", { name: "Turn into a card" });
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Turn into a card" }).click();
  await expect(page).toHaveURL(/\/f\//);
  await expect(page.getByText("hello.txt").first()).toBeVisible();
  await page.goto(`/p/${project.id}`);
  await expect(cards(page, "Waiting for approval").filter({ hasText: "A greeting" })).toBeVisible();
});
