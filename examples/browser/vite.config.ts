import { defaultClientConditions, defineConfig } from "vite";

/** A page that is served with these may share memory between threads; without them it runs on one. */
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default defineConfig({
  base: "./",
  // In this repository "unnoise" means the sources. A page that has installed the package needs no such lines.
  resolve: { conditions: ["unnoise-source", ...defaultClientConditions] },
  optimizeDeps: { include: ["zod/mini"] },
  server: { headers },
  preview: { headers },
});
