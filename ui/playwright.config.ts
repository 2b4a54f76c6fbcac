import { defineConfig, devices } from "@playwright/test";

/** Where a Guildhall runs that nobody has set up yet, beside the simulated provider. */
const baseURL = process.env.GUILDHALL_E2E_URL ?? "http://127.0.0.1:4300";
const executablePath = process.env.GUILDHALL_E2E_CHROMIUM ?? "/usr/bin/chromium";
/** Where what the tests leave goes: each of two halves that run at once has its own. */
const outputDir = process.env.GUILDHALL_E2E_RESULTS ?? "test-results";
const asRoot = process.getuid?.() === 0;
/** The browser itself must not reach out either. */
const quiet = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

export default defineConfig({
  testDir: "e2e",
  outputDir,
  // They share one server and one account.
  workers: 1,
  forbidOnly: Boolean(process.env.CI),
  // Two halves and their servers share two processors. What passes the second time is told as flaky.
  retries: 1,
  // Machines are slow, and others work on them meanwhile. What passes waits no longer for that.
  timeout: 240_000,
  expect: { timeout: 30_000 },
  reporter: process.env.CI ? [["list"]] : [["list"], ["html", { open: "never" }]],
  use: {
    ...devices["Desktop Chrome"],
    baseURL,
    // Far less than the test has: a click or a picture that hangs fails by its own name then, and not by the test's.
    actionTimeout: 60_000,
    viewport: { width: 1440, height: 900 },
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
    launchOptions: { executablePath, args: asRoot ? [...quiet, "--no-sandbox"] : quiet },
  },
  projects: [
    { name: "set-up", testMatch: /set-up\.ts/ },
    {
      name: "page",
      testMatch: /.*\.spec\.ts/,
      dependencies: ["set-up"],
      use: { storageState: `${outputDir}/.session.json` },
    },
  ],
});
