import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = process.env.GUILDHALL_DEV_SERVER ?? "http://127.0.0.1:4300";

/** What the page begins with: itself, the frame around every view, and the two views that are opened first. */
const FIRST = [
  "/src/main.tsx",
  "/src/app/frame.tsx",
  "/src/features/inbox/inbox.tsx",
  "/src/features/board/board.tsx",
];

interface Context {
  getModuleInfo: (id: string) => { importedIds: readonly string[] } | null;
}

/** Names a chunk of what the first views import, at once or by way of others; everything else has no part in it. */
function inFirstView(name: string, of: RegExp) {
  const seen = new Set<string>();
  const reach = (id: string, context: Context) => {
    if (seen.has(id)) return;
    seen.add(id);
    for (const next of context.getModuleInfo(id)?.importedIds ?? []) reach(next, context);
  };
  const root = fileURLToPath(new URL(".", import.meta.url)).replace(/\/$/, "");
  return (id: string, context: Context) => {
    if (seen.size === 0) for (const file of FIRST) reach(root + file, context);
    return of.test(id) && seen.has(id) ? name : null;
  };
}

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  server: {
    // The server compares Origin with Host, so the proxy must leave both as the browser sent them.
    proxy: { "/api": { target: server, ws: true, changeOrigin: false } },
  },
  build: {
    target: "es2024",
    sourcemap: false,
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        // What every view needs travels in a few files that stay the same when a view changes. What the first views do
        // without is in none of them, however many others share it.
        codeSplitting: {
          groups: [
            { name: "react", test: /node_modules\/(react|react-dom|scheduler)\//, priority: 3 },
            // One by one they would weigh more in their wrapping than in themselves.
            { name: "icons", test: /node_modules\/lucide-react\//, minShareCount: 2, priority: 3 },
            { name: inFirstView("vendor", /\/node_modules\//), minShareCount: 4, priority: 2 },
            { name: inFirstView("common", /\/src\//), minShareCount: 4, priority: 1 },
          ],
        },
      },
    },
  },
  test: {
    environment: "happy-dom",
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/test/setup.ts"],
  },
});
