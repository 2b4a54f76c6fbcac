import { expect, expectAccessible, makeProject, shots, test } from "./support";

const HOUR = 3_600_000;
const ago = (ms: number) => new Date(Date.now() - ms).toISOString();

const alert = (more: object) => ({
  id: "01890000-0000-7000-8000-000000000001",
  kind: "memory",
  subject: "hall-1:/data",
  about: "hall-1",
  level: "critical",
  worstLevel: "critical",
  value: 91,
  worst: 94,
  text: "91 % of the memory of hall-1 are used (threshold: 85 %). No new work begins there, and work is parked; it goes on by itself when this has cleared. Lower the limits of memory or of runs at once, or give the server more memory.",
  raisedAt: ago(HOUR / 2),
  changedAt: ago(HOUR / 4),
  seenAt: ago(15_000),
  clearedAt: null,
  gone: false,
  silencedUntil: null,
  silencedLevel: null,
  silencedBy: null,
  ...more,
});
const backup = alert({
  id: "01890000-0000-7000-8000-000000000002",
  kind: "backup-old",
  subject: "",
  about: "",
  level: "warning",
  worstLevel: "warning",
  value: 30,
  worst: 30,
  text: "The latest good backup is 30 hours old (threshold: 26 hours). Look at why the last one failed, or make one now.",
});
const over = alert({
  id: "01890000-0000-7000-8000-000000000000",
  kind: "certificate-ends",
  about: "hall.example.com",
  value: 89,
  worst: 2,
  raisedAt: ago(80 * HOUR),
  clearedAt: ago(70 * HOUR),
});

test("what is wrong with the servers, who is told of it, and from where on", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  await project.write("A card");
  // As it is before anybody has changed it: a try before this one may have.
  const headers = { origin: new URL(baseURL ?? "").origin };
  const before = { memory: { warning: 99, critical: 100 }, certificateDays: { warning: 14, critical: 3 } };
  expect((await page.request.patch("/api/settings/alerts", { data: before, headers })).ok()).toBe(true);
  // The real server of this test has nothing to say, and keeps what it is told.
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Inbox", level: 1 })).toBeVisible();
  await page.keyboard.press("ControlOrMeta+k");
  await page.getByRole("combobox").fill("alerts");
  await page.getByRole("option", { name: "Alerts", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Alerts", level: 1 })).toBeVisible();
  const form = page.getByRole("region", { name: "Thresholds" });
  const memory = form.getByRole("group", { name: "Memory of a server" });
  await expect(memory.getByLabel("Critical")).toHaveValue("100");
  await memory.getByLabel("Critical").fill("60");
  await form.getByRole("button", { name: "Save" }).click();
  await expect(memory.getByRole("alert")).toContainText("more than that of the warning, 99");
  await memory.getByLabel("Critical").fill("100");
  const days = form.getByRole("group", { name: "Certificate near its end" });
  await days.getByLabel("Warning").fill("21");
  await form.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Thresholds saved")).toBeVisible();
  await page.reload();
  await expect(days.getByLabel("Warning")).toHaveValue("21");

  // One that is in trouble.
  const open = [alert({}), backup];
  const silences: unknown[] = [];
  await page.route(/\/api\/alerts\?/, (route) => {
    const isOpen = new URL(route.request().url()).searchParams.get("open") === "true";
    return route.fulfill({ json: { items: isOpen ? open : [over], next: null } });
  });
  await page.route("**/api/alerts/*/silence", (route) => {
    const asked = route.request().postDataJSON();
    silences.push(asked);
    const until = asked.minutes === null ? null : new Date(Date.now() + asked.minutes * 60_000).toISOString();
    open[0] = alert({ silencedUntil: until, silencedLevel: until && "critical" });
    return route.fulfill({ json: open[0] });
  });
  await page.reload();
  const banner = page.getByRole("status").filter({ hasText: "Memory of hall-1" });
  await expect(banner).toContainText("91 % of the memory of hall-1 are used");
  const list = page.getByRole("list", { name: "Open" });
  await expect(list.getByRole("listitem")).toHaveCount(2);
  await expect(list.getByRole("listitem").first()).toContainText("94 %");
  await expect(page.getByRole("list", { name: "History" })).toContainText("At worst 2 days · lasted 10 h");
  await shots(page, "alerts");
  await list.getByRole("button", { name: "Silence: Memory of hall-1" }).click();
  await page.getByRole("menuitem", { name: "Eight hours" }).click();
  await expect(list.getByRole("listitem").first()).toContainText("Silent until");
  // Of what is silent the banner says no more.
  await expect(banner).toHaveCount(0);
  await list.getByRole("button", { name: "Tell again: Memory of hall-1" }).click();
  await expect(banner).toBeVisible();
  expect(silences).toEqual([{ minutes: 480 }, { minutes: null }]);
  await page.goto(`/p/${project.id}`);
  await expect(page.getByRole("region", { name: "Backlog" })).toBeVisible();
  await expect(banner.getByRole("link", { name: "Alerts" })).toBeVisible();
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/alerts-banner.png" });
});
