import { gzipSync } from "node:zlib";
import { expect, makeProject, test } from "./support";

const MOST = 250_000;

test("the first view needs less than 250 kB of compressed script", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  await project.write("Light as a feather");
  // What the page fetches when it has been at rest for a while is not in the first view, however slow the machine is.
  await page.addInitScript(() => {
    const soon = window.setTimeout.bind(window);
    const early = (run: () => void, after = 0) => (after < 1_000 ? soon(run, after) : 0);
    window.setTimeout = early as typeof window.setTimeout;
  });
  for (const address of ["/", `/p/${project.id}`]) {
    const scripts = new Map<string, Promise<number>>();
    page.on("response", (response) => {
      if (response.request().resourceType() !== "script") return;
      // What the browser has let go of is fetched once more.
      const body = response
        .body()
        .catch(async () => (await page.request.get(response.url())).body())
        .then((bytes) => gzipSync(bytes).length);
      body.catch(() => {});
      scripts.set(response.url(), body);
    });
    await page.goto(address);
    await page.waitForLoadState("networkidle");
    test.skip(
      [...scripts.keys()].some((url) => url.includes("/@vite/")),
      "not the built page",
    );
    const sum = (await Promise.all(scripts.values())).reduce((total, size) => total + size, 0);
    expect(sum, address).toBeGreaterThan(0);
    expect(sum, address).toBeLessThan(MOST);
    page.removeAllListeners("response");
  }
});
