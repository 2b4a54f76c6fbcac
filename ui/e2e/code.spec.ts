import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join as pathOf } from "node:path";
import { promisify } from "node:util";
import { asPage, expect, expectAccessible, join, makeProject, shots, test } from "./support";

const run = promisify(execFile);

test("a member finds the line to clone a project, makes a token for it, and clones", async ({
  page,
  baseURL,
  browser,
}) => {
  const http = asPage(page.request, baseURL);
  const name = `shop-${Date.now()}`;
  const { id } = await http.post("/api/projects", { name, source: { kind: "sample" } });
  await expect
    .poll(async () => (await (await page.request.get(`/api/projects/${id}`)).json()).status)
    .toBe("ready");
  await page.goto(`/p/${id}`);
  await page.getByRole("link", { name: "Get the code" }).first().click();
  await expect(page).toHaveURL(/\/settings#code$/);
  const origin = new URL(baseURL ?? "").origin;
  const line = `git clone ${origin}/git/${name}.git`;
  await expect(page.getByRole("textbox", { name: "Clone this project" })).toHaveValue(line);
  await expect(page.locator("#code")).toContainText("main only goes forward");
  await shots(page, "code");

  await page.getByRole("link", { name: "Make a token for git" }).click();
  const dialog = page.getByRole("dialog", { name: "New token" });
  await expect(dialog.getByRole("checkbox", { name: "Git" })).toBeChecked();
  await expect(dialog.getByRole("checkbox", { name: "Read" })).not.toBeChecked();
  await dialog.getByLabel("What it is for").fill("My laptop");
  await dialog.getByRole("button", { name: "Make token" }).click();
  const made = page.getByRole("dialog", { name: "Your new token" });
  // Only what is expected, or done, answers who one is where that is asked first.
  await expect(made).toBeVisible();
  const token = await made.getByRole("textbox", { name: "Token" }).inputValue();
  await made.getByRole("button", { name: "Done" }).click();
  await expect(made).toHaveCount(0);
  await expect(page).toHaveURL(/\/settings#tokens$/);

  // What stands there works as it is, but for the password that git would ask for.
  const folder = await mkdtemp(pathOf(tmpdir(), "guildhall-clone-"));
  try {
    const [program, ...rest] = line.replace("://", `://anybody:${token}@`).split(" ");
    const env = { PATH: process.env.PATH ?? "", HOME: folder, GIT_TERMINAL_PROMPT: "0" };
    await run(program ?? "", rest, { cwd: folder, env });
    expect(await readdir(pathOf(folder, name))).toContain(".git");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }

  // A viewer is told why not; and the palette leads there, too.
  const viewer = await join(browser, baseURL, http, { role: "viewer", name: "Vera" });
  await viewer.page.goto(`/p/${id}`);
  await expect(viewer.page.getByRole("heading", { name })).toBeVisible();
  await viewer.page.keyboard.press("ControlOrMeta+k");
  await viewer.page.getByRole("combobox", { name: "Search or do…" }).fill("clone this");
  await viewer.page.getByRole("option", { name: `Clone ${name}` }).click();
  await expect(viewer.page.locator("#code")).toContainText("Your role looks and changes nothing");
  await expect(viewer.page.getByRole("textbox", { name: "Clone this project" })).toHaveCount(0);
  await expectAccessible(viewer.page);
  await viewer.page.context().close();
});

test("a project whose name is no word is cloned by its id, into a folder of its name", async ({
  page,
  baseURL,
}) => {
  const project = await makeProject(page, baseURL);
  await page.goto(`/p/${project.id}/settings`);
  const folder = project.name.replace(" ", "-");
  await expect(page.getByRole("textbox", { name: "Clone this project" })).toHaveValue(
    `git clone ${new URL(baseURL ?? "").origin}/git/${project.id}.git ${folder}`,
  );
});

test("a card names its branch: what cannot be one is told at the field, and the overview gives it", async ({
  page,
  baseURL,
}) => {
  const project = await makeProject(page, baseURL);
  await page.goto(`/p/${project.id}`);
  await page.getByRole("button", { name: "Write the first card" }).click();
  await page.getByLabel("Title").fill("On a branch");
  const branch = page.getByRole("textbox", { name: "Branch" });
  await branch.fill("two words");
  await page.getByLabel("Budget in US dollars").fill("2.5");
  await page.getByRole("switch", { name: "A person looks" }).click();
  await page.keyboard.press("ControlOrMeta+Enter");
  const editor = page.getByRole("dialog", { name: "New card" });
  await expect(editor.getByRole("alert")).toHaveText(/^This is no name for a git branch\. Name another/);
  await expect(branch).toHaveAttribute("aria-invalid", "true");
  await expectAccessible(page);
  await branch.fill("login/passkeys");
  await page.keyboard.press("ControlOrMeta+Enter");
  await expect(editor).toHaveCount(0);
  await page.getByRole("link", { name: "On a branch" }).click();
  const panel = page.getByRole("complementary", { name: "Feature" });
  await panel.getByRole("tab", { name: "Overview" }).click();
  await expect(panel.getByText("login/passkeys")).toBeVisible();
  await expect(panel.getByRole("button", { name: "Copy the branch's name" })).toBeVisible();
  await expect(panel).toContainText("2.50 US dollars for a run");
  await expect(panel).toContainText("Whatever the checks say");
  await expectAccessible(page);
});
