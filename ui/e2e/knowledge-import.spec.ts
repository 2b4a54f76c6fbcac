import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asOwner, expect, expectAccessible, test } from "./support";

test.use({ storageState: { cookies: [], origins: [] } });

/** Where files are chosen, and where a folder is. */
const FILES = "input[type=file][accept]";
const FOLDER = "input[type=file][webkitdirectory]";
const markdown = (name: string, text: string) => ({
  name,
  mimeType: "text/markdown",
  buffer: Buffer.from(text),
});

test("files come in, but for those that are faulty or say what is there already", async ({
  page,
  baseURL,
}) => {
  const anna = await asOwner(page, baseURL);
  const made = await anna.post("/api/knowledge/entries?anyway=true", {
    title: `Saved as a file ${Date.now()}`,
    content: "Apples keep until spring.",
  });
  await page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
  // What is there already stays as it was.
  await page.goto(`/knowledge/entries/${made.id}`);
  await page.getByRole("button", { name: "More", exact: true }).click();
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("menuitem", { name: "Save as Markdown" }).click(),
  ]);
  expect(file.suggestedFilename()).toMatch(/\.md$/);
  await page.goto("/knowledge");
  await page.getByRole("button", { name: "Import, export, deleted" }).click();
  await page.getByRole("menuitem", { name: "Import files" }).click();
  const dialog = page.getByRole("dialog", { name: "Import knowledge" });
  await dialog
    .locator(FILES)
    .setInputFiles([
      markdown("same.md", await readFile(await file.path(), "utf8")),
      markdown(
        "new.md",
        `---\nkind: entry\ntitle: Brought in ${Date.now()}\n---\n\nQuinces and medlars ripen late.\n`,
      ),
    ]);
  await dialog.getByRole("button", { name: "Import 2 files" }).click();
  await expect(dialog.getByRole("status")).toHaveText("1 written, 0 changed, 1 as they were");
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/knowledge-import-1440-dark.png" });

  // Every faulty file is named as its owner knows it, at once; without them the others come in.
  await dialog
    .locator(FILES)
    .setInputFiles([
      markdown("sound.md", `---\nkind: entry\ntitle: Sloes ${Date.now()}\n---\n\nAfter the first frost.\n`),
      markdown("Its tags.md", "---\nkind: entry\ntitle: x\ntags: one\n---\ny\n"),
      markdown("its-kind.md", "---\nkind: poem\ntitle: x\n---\ny\n"),
    ]);
  await dialog.getByRole("button", { name: "Import 3 files" }).click();
  const chosen = dialog.getByRole("list", { name: "Files to import" });
  await expect(dialog.getByRole("alert")).toContainText("2 files are faulty");
  await expect(chosen.getByRole("listitem")).toContainText([
    /Its tags\.md.*tags: write a list of words/,
    /its-kind\.md.*kind/,
    /sound\.md/,
  ]);
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/knowledge-import-faulty-1440-dark.png" });
  await dialog.getByRole("button", { name: "Take its-kind.md off the list" }).click();
  await expect(chosen.getByRole("listitem")).toHaveCount(2);
  await expect(dialog.getByRole("alert")).toContainText("a file is faulty");
  await dialog.getByRole("button", { name: "Import the other file" }).click();
  await expect(dialog.getByRole("status")).toHaveText("1 written, 0 changed, 0 as they were");

  // Of two that say the same one comes in, and then, if that is wanted, the other alone.
  const pears = `---\nkind: entry\ntitle: Pears ${Date.now()}\n---\n\nThey are picked while they are hard.\n`;
  await dialog.locator(FILES).setInputFiles(["one.md", "two.md"].map((name) => markdown(name, pears)));
  await dialog.getByRole("button", { name: "Import 2 files" }).click();
  await expect(dialog.getByRole("region", { name: /^Passed over/ })).toContainText("two.md");
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/knowledge-import-alike-1440-dark.png" });
  await dialog.getByRole("button", { name: "Import those, too" }).click();
  await expect(dialog.getByRole("status")).toHaveText("1 written, 0 changed, 0 as they were");
});

test("what the page exports it imports, as an archive and out of a folder", async ({ page, baseURL }) => {
  const anna = await asOwner(page, baseURL);
  const headers = { origin: new URL(baseURL ?? "").origin };
  const stamp = Date.now();
  const tag = `moved-${stamp}`;
  const write = (title: string, content: string, related: string[] = []) =>
    anna.post("/api/knowledge/entries?anyway=true", { title, content, related, tags: [tag] });
  const hinges = await write(`Hinges ${stamp}`, "They are oiled in autumn.");
  const gate = await write(`The gate ${stamp}`, "It opens to the inside alone.", [hinges.id]);

  await page.goto(`/knowledge?tag=${tag}`);
  await page.getByRole("button", { name: "Import, export, deleted" }).click();
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("menuitem", { name: "Export these as Markdown" }).click(),
  ]);
  const name = file.suggestedFilename();
  expect(name).toMatch(/\.tar$/);
  const tar = { name, mimeType: "application/x-tar", buffer: await readFile(await file.path()) };
  await page.getByRole("button", { name: "Import, export, deleted" }).click();
  await page.getByRole("menuitem", { name: "Import files" }).click();
  const dialog = page.getByRole("dialog", { name: "Import knowledge" });
  await dialog.locator(FILES).setInputFiles([tar]);
  await dialog.getByRole("button", { name: "Import 2 files" }).click();
  await expect(dialog.getByRole("status")).toHaveText("0 written, 0 changed, 2 as they were");

  // A folder, with what else lies in one.
  const folder = await mkdtemp(join(tmpdir(), "guildhall-notes-"));
  await mkdir(join(folder, ".git"));
  const note = (title: string, text: string, more = "") =>
    `---\nkind: entry\ntitle: ${title} ${stamp}\n${more}---\n\n${text}\n`;
  await writeFile(join(folder, "locks.markdown"), note("Locks", "The key hangs in the hall."));
  const nobody = "00000000-0000-7000-8000-000000000000";
  await writeFile(join(folder, "bolts.md"), note("Bolts", "They are of brass.", `related: ["${nobody}"]\n`));
  await writeFile(join(folder, ".git", "hidden.md"), "no item");
  await writeFile(join(folder, "picture.png"), "no item");
  await dialog.locator(FOLDER).setInputFiles(folder);
  await expect(dialog.getByText("Passed over, since they are no Markdown files:")).toContainText(
    "picture.png",
  );
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Import 2 files" }).click();
  await expect(dialog.getByRole("status")).toHaveText("2 written, 0 changed, 0 as they were");
  await expect(dialog.getByRole("region", { name: /^They came in without/ })).toContainText("bolts.md");
  await expectAccessible(page);
  await rm(folder, { recursive: true });

  // What is wrong in a file is told with its field.
  await dialog.locator(FILES).setInputFiles([markdown("bad.md", note("Bad", "x", "tags: one\n"))]);
  await dialog.getByRole("button", { name: "Import 1 file" }).click();
  await expect(dialog.getByRole("list", { name: "Files to import" })).toContainText(
    "tags: write a list of words",
  );

  // A related item that was deleted goes by its title, where one writes and in the history.
  await page.request.delete(`/api/knowledge/entries/${hinges.id}`, { headers });
  await page.goto(`/knowledge/entries/${gate.id}?edit=true`);
  const related = page.getByRole("group", { name: /^Related/ });
  await expect(related.getByRole("listitem")).toContainText(`Hinges ${stamp}`);
  await expect(related.getByText("Deleted")).toBeVisible();
  await related.getByRole("button", { name: `Remove Hinges ${stamp}` }).click();
  await page.getByRole("button", { name: "Save" }).click();
  // Whoever leaves earlier breaks off what is being sent.
  await expect(page.getByRole("heading", { name: `The gate ${stamp}`, level: 1, exact: true })).toBeVisible();
  await page.goto(`/knowledge/entries/${gate.id}?tab=history`);
  await expect(page.getByRole("region", { name: "What changed from version 1 to version 2" })).toContainText(
    `Related: Hinges ${stamp} (deleted)`,
  );
});
