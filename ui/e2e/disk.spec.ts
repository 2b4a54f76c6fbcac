import { asPage, expect, expectAccessible, makeProject, shots, test } from "./support";

const DONE =
  'Do it.\n\n```sim\n{"tools": [["write", {"path": "a.txt", "content": "one\\n"}]]}\n{"say": "Done."}\n```';

test("what uses the disk, what goes next and why, and how long what is kept", async ({ page, baseURL }) => {
  const http = asPage(page.request, baseURL);
  // As it is before anybody has changed it: a try before this one may have.
  const headers = { origin: new URL(baseURL ?? "").origin };
  const before = { idleWorktreeDays: 14, cacheDays: 30 };
  expect((await page.request.patch("/api/settings/retention", { data: before, headers })).ok()).toBe(true);
  const project = await makeProject(page, baseURL);
  const built = await project.write("Login form", { description: DONE, model: "simulated" });
  await http.post(`/api/features/${built.id}/start`);
  const status = async () =>
    (await (await page.request.get(`/api/features/${built.id}`)).json()).status as string;
  await expect.poll(status, { timeout: 60_000 }).toBe("waiting_approval");

  // From the palette, as it is.
  await http.post("/api/operation/tidy");
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Inbox", level: 1 })).toBeVisible();
  await page.keyboard.press("ControlOrMeta+k");
  await page.getByRole("combobox").fill("retention");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/operation\/disk#retention$/);
  await expect(page.getByRole("heading", { name: "Disk", level: 1 })).toBeVisible();
  const table = page.getByRole("table", { name: "By member and card" });
  const own = table.getByRole("row", { name: /Login form/ }).filter({ hasText: project.name });
  await expect(own).toBeVisible({ timeout: 60_000 });
  await expect(table.getByRole("rowheader", { name: "Ada Lovelace" })).toBeVisible();
  await expect(page.getByText(/The last clean-up went well/)).toBeVisible();
  await page.getByRole("button", { name: "Tidy up now" }).click();
  const asked = page.getByRole("alertdialog", { name: "Tidy up now?" });
  await expectAccessible(page);
  await asked.getByRole("button", { name: "Tidy up now" }).click();
  await expect(page.getByText("The server tidies up.")).toBeVisible();

  // How long what is kept: what is no number is told, what is empty is kept for ever.
  const days = page.getByRole("textbox", { name: "Worktrees of cards that rest" });
  await expect(days).toHaveValue("14");
  await days.fill("soon");
  await expect(page.getByText("Write a number, or leave it empty")).toBeVisible();
  await days.fill("21");
  await page.getByRole("textbox", { name: "Caches of tools" }).fill("");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Saved. It holds from the next clean-up on.")).toBeVisible();
  await page.reload();
  await expect(days).toHaveValue("21");
  await expect(page.getByRole("textbox", { name: "Caches of tools" })).toHaveValue("");

  // A server with much to say: a plan, what stays, what belongs to nothing, and a clean-up that is stuck.
  const standing = await (await page.request.get("/api/operation/disk")).json();
  const worktree = standing.report.worktrees.find((one: { title: string }) => one.title === "Login form");
  const long = new Date(Date.now() - 20 * 24 * 3600_000).toISOString();
  const gib = 1024 ** 3;
  const full = {
    ...standing,
    measuring: false,
    tidiness: {
      ...standing.tidiness,
      runningSince: null,
      stuckSince: long,
      lastFault: { at: long, message: "the repository of An old project stays: it could not be deleted" },
    },
    report: {
      ...standing.report,
      disk: { used: 83 * gib, total: 100 * gib },
      diskFiles: { used: 4_100_000, total: 5_000_000 },
      bytes: {
        database: 2 * gib,
        databaseFree: gib / 2,
        repositories: 9 * gib,
        worktrees: 31 * gib,
        caches: 14 * gib,
        orphans: gib,
      },
      worktrees: [
        { ...worktree, bytes: 20 * gib, unusedSince: long },
        { ...worktree, runId: project.id, kind: "chat", title: "A talk", inUse: "looks", bytes: 4 * gib },
        {
          ...worktree,
          runId: built.id,
          number: 7,
          title: "A card with a very long title that goes on and on until nobody reads it any more",
          over: true,
          unsaved: "large.bin has 99999999 bytes, too many to be kept",
          bytes: 7 * gib,
        },
      ],
      caches: [
        { projectId: project.id, memberId: worktree.memberId, bytes: 10 * gib },
        { projectId: project.id, memberId: null, bytes: 4 * gib },
      ],
      orphans: [
        {
          kind: "worktree",
          path: "worktrees/0192f0c8-0000-7000-8000-000000000000",
          bytes: gib,
          changedAt: long,
          removableAt: long,
        },
      ],
      plan: {
        worktrees: [{ runId: worktree.runId, why: "idle", bytes: 20 * gib }],
        caches: [
          { projectId: project.id, memberId: worktree.memberId, tool: "cargo", why: "size", bytes: 3 * gib },
        ],
        repositories: [{ projectId: project.id, name: "An old project", bytes: 2 * gib }],
        records: { runs: 12, events: 48_000, snapshots: 3 },
      },
    },
  };
  await page.route("**/api/operation/disk", (route) => route.fulfill({ json: full }));
  await page.route("**/api/operation", async (route) => {
    const operation = await (await route.fetch()).json();
    const node = (name: string, id: string, silent: boolean) => ({
      id,
      name,
      version: "0.1.0",
      startedAt: long,
      silent,
      reading: { node: id, at: long, disk: { used: 3 * gib, total: 4 * gib } },
    });
    const nodes = [node("guild-1", standing.node, false), node("guild-2", project.id, true)];
    return route.fulfill({ json: { ...operation, nodes } });
  });
  let removed: unknown;
  await page.route("**/api/operation/orphans/remove", (route) => {
    removed = route.request().postDataJSON();
    return route.fulfill({ json: { removed: full.report.orphans.map((one: { path: string }) => one.path) } });
  });
  await page.reload();
  await expect(page.getByText(/The clean-up is stuck since/)).toBeVisible();
  await expect(page.getByText("83.0 GiB of 100.0 GiB used, 83 %")).toBeVisible();
  await expect(page.getByText("4,100,000 of 5,000,000 are there, 82 %")).toBeVisible();
  await expect(page.getByText("This is the disk of the server that answered: guild-1")).toBeVisible();
  const others = page.getByRole("region", { name: "The other servers" });
  await expect(others.getByRole("listitem")).toHaveText(/guild-2.*silent.*3\.0 GiB of 4\.0 GiB used, 75 %/);
  const plan = page.getByRole("list", { name: "What goes next" });
  await expect(plan.getByRole("listitem")).toHaveCount(6);
  await expect(plan.getByRole("listitem").filter({ hasText: "Worktree of Login form" })).toContainText(
    "Unused for as long as it is kept",
  );
  await expect(table.getByRole("row", { name: /very long title/ })).toContainText("it is not on a ref");
  const staying = page.getByRole("region", { name: "Stays until somebody looks at it" });
  await expect(staying.getByRole("listitem")).toHaveText(
    /#7 A card with a very long title.*: large\.bin has 99999999 bytes/,
  );
  await shots(page, "disk");

  // What will never be worked with again goes when an admin says so.
  await staying.getByRole("button", { name: /^Let it go: A card with/ }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Let it go" }).click();
  await expect(page.getByText("The worktree is gone.")).toBeVisible();
  expect(removed).toEqual({ paths: [`worktrees/${built.id}`] });

  await page.getByRole("button", { name: /^Remove: worktrees/ }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Remove" }).click();
  await expect(page.getByText("It is gone.")).toBeVisible();
  expect(removed).toEqual({ paths: [full.report.orphans[0]?.path] });

  // While it is measured for the first time, and when it cannot be had.
  await page.unroute("**/api/operation/disk");
  await page.route("**/api/operation/disk", (route) =>
    route.fulfill({ json: { ...standing, report: null, measuring: true } }),
  );
  await page.reload();
  await expect(page.getByText(/measured for the first time/)).toBeVisible();
  await expectAccessible(page);
  await page.unroute("**/api/operation/disk");
  await page.route("**/api/operation/disk", (route) =>
    route.fulfill({
      status: 403,
      json: { code: "missing-right", title: "No", status: 403, detail: "For admins." },
    }),
  );
  await page.reload();
  await expect(page.getByText("For admins.")).toBeVisible();
  await page.unroute("**/api/operation/disk");
  await http.post("/api/operation/tidy");
});
