import { gzipSync } from "node:zlib";
import { expect, makeProject, test } from "./support";

const MOST = 250_000;

test("the first view needs less than 250 kB of compressed script", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  await project.write("Light as a feather");
  for (const address of ["/", `/p/${project.id}`]) {
    const scripts = new Map<string, number>();
    page.on("response", async (response) => {
      if (response.request().resourceType() !== "script") return;
      scripts.set(response.url(), gzipSync(await response.body()).length);
    });
    await page.goto(address);
    await page.waitForLoadState("networkidle");
    test.skip(
      [...scripts.keys()].some((url) => url.includes("/@vite/")),
      "not the built page",
    );
    const sum = [...scripts.values()].reduce((total, size) => total + size, 0);
    expect(sum, address).toBeLessThan(MOST);
    page.removeAllListeners("response");
  }
});
