import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = process.env.GUILDHALL_DEV_SERVER ?? "http://127.0.0.1:4300";

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
        // What every view needs travels in a few files that stay the same when a view changes.
        codeSplitting: {
          groups: [
            { name: "react", test: /node_modules\/(react|react-dom|scheduler)\//, priority: 3 },
            // One by one they would weigh more in their wrapping than in themselves.
            { name: "icons", test: /node_modules\/lucide-react\//, minShareCount: 2, priority: 3 },
            // Lists to choose from are not in the first view, however many views have them.
            {
              name: "vendor",
              test: /node_modules\/(?!shiki|@shikijs|@base-ui\/react\/(esm\/)?select\/)/,
              minShareCount: 4,
              priority: 2,
            },
            // Neither is what is needed to sign in and to confirm.
            {
              name: "common",
              test: /\/src\/(?!features\/(feature|security)\/|lib\/passkeys\.|components\/ui\/(select|radios)\.)/,
              minShareCount: 4,
              priority: 1,
            },
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
