import { expect, shots, test } from "./support";

const FAILED = {
  destination: "/mnt/backups",
  sealed: true,
  nextAt: "2026-01-03T03:00:00Z",
  lastGoodAt: "2026-01-01T03:00:00Z",
  earlierUnsound: [] as object[],
  items: [
    {
      id: "01890000-0000-7000-8000-000000000002",
      cause: "schedule",
      status: "failed",
      destination: "/mnt/backups",
      startedAt: "2026-01-02T03:00:00Z",
      endedAt: "2026-01-02T03:00:01Z",
      problem: "/mnt/backups/20260102T030000Z/rows.jsonl.zst cannot be written: No space left on device",
    },
  ],
};

test("an admin has a backup made and sees that it was restored to look at it", async ({ page }) => {
  await page.goto("/team");
  const part = page.getByRole("region", { name: "Backups" });
  await part.getByRole("link", { name: "All backups" }).click();
  await expect(page.getByRole("heading", { name: "Backups", level: 1 })).toBeVisible();
  await page.getByRole("button", { name: "Back up now" }).click();
  const latest = page.getByRole("list", { name: "The latest" }).getByRole("listitem").first();
  // The first of all is looked at so. Where there is one already, the next holds what is new, and is looked at otherwise.
  const sound = page.getByRole("list", { name: "The latest" }).getByText("Restored to look at it, and sound");
  await expect(sound.first()).toBeVisible({ timeout: 60_000 });
  await expect(page.getByRole("region", { name: "There is a backup" })).toBeVisible();
  await shots(page, "backups");

  // One that failed is told first, with why.
  await page.route("**/api/operation/backups", (route) => route.fulfill({ json: FAILED }));
  await page.reload();
  await expect(
    page.getByRole("region", { name: "The latest backup is not there, or not sound" }),
  ).toBeVisible();
  await expect(page.getByText("No space left on device")).toBeVisible();

  // So is one that nobody could look at, and one that builds on what is not sound.
  const made = { ...FAILED.items[0], status: "done", kind: "incremental", problem: null };
  const view = (more: object, lastGoodUnchecked: string | null) =>
    page.route("**/api/operation/backups", (route) =>
      route.fulfill({ json: { ...FAILED, lastGoodUnchecked, items: [{ ...made, ...more }] } }),
    );
  await view({ unchecked: "No room for it." }, "No room for it.");
  await page.reload();
  await expect(page.getByRole("region", { name: "The latest backup is not checked yet" })).toBeVisible();
  await expect(latest).toContainText("No room for it.");
  await expect(latest).toContainText("Not checked");
  await view({ unsoundBelow: "20251228T030000Z" }, null);
  await page.reload();
  await expect(
    page.getByRole("region", { name: "The latest backup is not there, or not sound" }),
  ).toBeVisible();
  await expect(latest).toContainText("It builds on 20251228T030000Z, which is not sound.");
  await expect(latest).toContainText("Not sound");

  // What was found in one is told for as long as it is there, however often others failed since.
  const old = { ...made, id: "01890000-0000-7000-8000-000000000001", name: "20251201T030000Z" };
  await page.route("**/api/operation/backups", (route) =>
    route.fulfill({ json: { ...FAILED, earlierUnsound: [{ ...old, verifyProblem: "A part is damaged." }] } }),
  );
  await page.reload();
  const earlier = page.getByRole("list", { name: "Earlier ones that are not sound" });
  await expect(earlier.getByRole("listitem")).toContainText("20251201T030000Z");
  await expect(earlier.getByRole("listitem")).toContainText("A part is damaged.");
  await page.route("**/api/operation/backups", (route) =>
    route.fulfill({ json: { ...FAILED, destination: null, lastGoodAt: null, nextAt: null, items: [] } }),
  );
  await page.reload();
  await expect(page.getByText("No place for backups is configured")).toBeVisible();
  await expect(page.getByRole("button", { name: "Back up now" })).toHaveCount(0);
  await shots(page, "backups-off");
});
