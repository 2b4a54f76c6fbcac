import { expect, makeProject, shots, test } from "./support";

const GIB = 1024 ** 3;
const level = (mean: number) => ({ mean, max: mean * 1.2 });

/** What the server would answer that has run for an hour: tests have no hour. */
function samples(of: string) {
  const to = new Date(Math.floor(Date.now() / 60_000) * 60_000);
  const times = Array.from({ length: 60 }, (_, n) =>
    new Date(to.getTime() - (59 - n) * 60_000).toISOString(),
  );
  const wave = (n: number, high: number) => high * (0.6 + 0.4 * Math.sin(n / 7));
  return {
    range: "hour",
    from: times[0],
    to: times[59],
    stepSeconds: 60,
    nodes:
      of === "nodes"
        ? [
            {
              id: "01890000-0000-7000-8000-000000000001",
              name: "guild-1",
              points: times
                .filter((_, n) => n < 20 || n > 26)
                .map((at, n) => ({
                  at,
                  memory: level(wave(n, 9 * GIB)),
                  memoryTotal: 16 * GIB,
                  processMemory: level(wave(n, GIB / 4)),
                  disk: level(120 * GIB),
                  diskTotal: 300 * GIB,
                  load: level(wave(n, 0.8)),
                  activeRuns: level(3),
                  worktrees: level(7),
                  queueDepth: level(2),
                  databaseMillis: level(1.5),
                })),
            },
          ]
        : [],
    members:
      of === "members"
        ? ["Ada Lovelace", "Grace Hopper", "Barbara Liskov"].map((name, m) => ({
            memberId: `01890000-0000-7000-8000-00000000000${m + 2}`,
            name,
            points: times.slice(10 * m).map((at, n) => ({
              at,
              memory: level(wave(n + 9 * m, 2 * GIB)),
              processes: level(20),
              processorMillis: 40_000,
              disk: level(3 * GIB),
              worktrees: level(2),
              agents: level(1),
              tokens: 900,
              costMicros: 4_000,
            })),
          }))
        : [],
  };
}

test("what the servers have and who uses what, now and over time", async ({ page, baseURL }) => {
  await makeProject(page, baseURL);
  await page.goto("/");
  // The real server says how it is.
  await page.getByRole("link", { name: "Operation" }).click();
  await expect(page.getByRole("heading", { name: "Operation", level: 1 })).toBeVisible();
  await expect(page.getByRole("definition").filter({ hasText: "Sandboxed" })).toBeVisible();
  const servers = page.getByRole("region", { name: "Servers" });
  await expect(servers.getByRole("list").or(servers.getByText("has not told yet"))).toBeVisible();

  // One that has run for a while, with figures to draw.
  const answer = await (await page.request.get("/api/operation")).json();
  const reading = {
    node: "01890000-0000-7000-8000-000000000009",
    at: new Date().toISOString(),
    memory: { used: 12.4 * GIB, total: 16 * GIB },
    processMemory: GIB / 4,
    disk: { used: 120 * GIB, total: 300 * GIB },
    processors: 8,
    load: 20.4,
    activeAgents: 3,
    activeRuns: 3,
    worktrees: 7,
    queueDepth: 2,
    providerFailures: 1,
    databaseMillis: 1.5,
  };
  const node = {
    id: "01890000-0000-7000-8000-000000000001",
    node: reading.node,
    name: "guild-1",
    version: "0.1.0",
    startedAt: new Date(Date.now() - 5 * 3_600_000).toISOString(),
    silent: false,
    reading,
  };
  const members = ["Ada Lovelace", "Grace Hopper"].map((name, m) => ({
    memberId: `01890000-0000-7000-8000-00000000000${m + 2}`,
    name,
    memory: m === 0 ? 2.5 * GIB : null,
    processes: m === 0 ? 31 : null,
    processors: 1.4,
    disk: 3 * GIB,
    worktrees: 2,
    agents: 1 + m,
    tokens: 912_345,
    costMicros: 4_210_000,
  }));
  await page.route("**/api/operation", (route) =>
    route.fulfill({ json: { ...answer, nodes: [node], members, activeAgents: 3, queueDepth: 2 } }),
  );
  // What is too much, admins say.
  await page.route("**/api/settings/alerts", async (route) => {
    const thresholds = await (await route.fetch()).json();
    return route.fulfill({ json: { ...thresholds, memory: { warning: 50, critical: 60 } } });
  });
  await page.route("**/api/operation/samples?*", (route) =>
    route.fulfill({ json: samples(new URL(route.request().url()).searchParams.get("of") ?? "") }),
  );
  await page.reload();
  await expect(servers.getByRole("progressbar", { name: "Memory" })).toHaveAttribute("aria-valuenow", "78");
  await expect(servers.getByRole("progressbar", { name: "Memory" }).locator("div")).toHaveClass(/bg-red/);
  // In words, too: what is too much, and that the processors are not just busy.
  const server = servers.getByRole("listitem").filter({ hasText: "guild-1" });
  await expect(servers.getByRole("progressbar", { name: "Memory" })).toHaveAttribute(
    "aria-valuetext",
    /Critical$/,
  );
  await expect(server).toContainText("20.4 programs want 8 processors · 255 %");
  await expect(servers.getByRole("progressbar", { name: "Processors" }).locator("div")).toHaveClass(
    /bg-amber/,
  );
  await expect(server.locator("header")).toContainText("Critical");
  await expect(
    page.getByRole("table", { name: "Who uses what" }).getByRole("row", { name: /Ada/ }),
  ).toContainText("2.5 GiB");
  const over = page.getByRole("region", { name: "Over time" });
  await expect(over.locator(".recharts-area-area").first()).toBeVisible();
  await expect(over.locator(".recharts-reference-line-line")).toHaveCount(2);
  await expect(over.getByText("Critical from 9.6 GiB", { exact: true })).toBeVisible();
  await over.getByRole("combobox", { name: "Whose" }).click();
  await page.getByRole("option", { name: "Members" }).click();
  await expect(over.locator(".recharts-area-area")).toHaveCount(3);
  await over.getByText("As a table").click();
  await expect(over.getByRole("columnheader", { name: "Grace Hopper" })).toBeVisible();
  await over.getByRole("button", { name: "Year" }).click();
  await expect(over.getByRole("button", { name: "Year" })).toHaveAttribute("aria-pressed", "true");
  await shots(page, "operation");

  // The sections are one place.
  await page
    .getByRole("navigation", { name: "Sections of operation" })
    .getByRole("link", { name: "Sandbox" })
    .click();
  await expect(page.getByRole("heading", { name: "Sandbox", level: 1 })).toBeVisible();
});
