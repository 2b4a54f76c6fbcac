import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join as pathOf } from "node:path";
import { promisify } from "node:util";
import { asPage, expect, expectAccessible, makeProject, shots, test } from "./support";

const run = promisify(execFile);
const WORK = [
  "```sim",
  JSON.stringify({ tools: [["write", { path: "hello.txt", content: "Hello\n" }]] }),
  JSON.stringify({ say: "Done." }),
  "```",
].join("\n");

test("work goes to the team's other repository, is merged there, and its card is completed", async ({
  page,
  baseURL,
}) => {
  test.slow();
  const http = asPage(page.request, baseURL);
  // The other one is a project of the same server: to git it is as any forge.
  const there = await makeProject(page, baseURL, "sample");
  await page.goto("/settings?token=git#tokens");
  const dialog = page.getByRole("dialog", { name: "New token" });
  await dialog.getByLabel("What it is for").fill("The other one");
  await dialog.getByRole("button", { name: "Make token" }).click();
  const made = page.getByRole("dialog", { name: "Your new token" });
  // Only what is expected, or done, answers who one is where that is asked first.
  await expect(made).toBeVisible();
  const token = await made.getByRole("textbox", { name: "Token" }).inputValue();
  await made.getByRole("button", { name: "Done" }).click();
  const plain = `${new URL(baseURL ?? "").origin}/git/${there.id}.git`;
  const url = plain.replace("://", `://ada:${token}@`);
  const name = `here ${Date.now()}`;
  const { id } = await http.post("/api/projects", { name, source: { kind: "clone", url } });
  await expect
    .poll(async () => (await (await page.request.get(`/api/projects/${id}`)).json()).status)
    .toBe("ready");

  await page.goto(`/p/${id}/settings#remote`);
  const section = page.locator("#remote");
  await expect(section).toContainText("The repository is on this server alone.");
  await section.getByRole("button", { name: "Connect a repository" }).click();
  const form = page.getByRole("dialog", { name: "Connect a repository" });
  const address = form.getByRole("textbox", { name: "Address" });
  await address.fill("/srv/repository");
  await form.getByRole("button", { name: "Connect" }).click();
  await expect(form.getByRole("alert")).toContainText("give an address in the network");
  await expectAccessible(page);
  await address.fill(url);
  await form.getByRole("switch", { name: "Push what is merged here" }).click();
  await form.getByRole("button", { name: "Connect" }).click();
  await expect(form).toHaveCount(0);
  await expect(section).toContainText(plain);
  await expect(section).not.toContainText(token);
  await section.getByRole("button", { name: "Bring up to date" }).click();
  await expect(section).toContainText("Both are the same");
  await shots(page, "remote");

  const card = await http.post(`/api/projects/${id}/features`, {
    title: "Say hello",
    description: WORK,
    model: "simulated",
  });
  await http.post(`/api/features/${card.id}/start`);
  await page.goto(`/f/${card.id}`);
  await expect(page.getByRole("button", { name: "Merge" })).toBeVisible({ timeout: 60_000 });
  await page.getByRole("button", { name: "More actions" }).click();
  await page.getByRole("menuitem", { name: "Open a pull request…" }).click();
  const publish = page.getByRole("dialog", { name: "Open a pull request" });
  await expect(publish).toContainText(plain);
  await expectAccessible(page);
  await publish.getByRole("button", { name: "Push the branch" }).click();
  const link = publish.getByRole("link", { name: "Open the pull request" });
  await expect(link).toHaveAttribute("href", /\/compare\/main\.\.\..*title=Say%20hello$/);
  const branch = (await publish.locator("code").textContent()) ?? "";
  await expectAccessible(page);
  await publish.getByRole("button", { name: "Close" }).last().click();

  const folder = await mkdtemp(pathOf(tmpdir(), "guildhall-remote-"));
  try {
    const env = { PATH: process.env.PATH ?? "", HOME: folder, GIT_TERMINAL_PROMPT: "0" };
    const git = (at: string, ...args: string[]) =>
      run("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", ...args], { cwd: at, env });
    await git(folder, "clone", "--quiet", url, "there");
    const at = pathOf(folder, "there");
    await git(at, "merge", "--quiet", "--no-ff", `origin/${branch}`);
    await git(at, "push", "--quiet");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  await http.post(`/api/projects/${id}/remote/sync`);
  // Without a reload: the page hears of it.
  await expect(page.getByRole("button", { name: /^Merged/ })).toBeVisible();
});
