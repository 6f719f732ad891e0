import { fileURLToPath } from "node:url";
import { defaultClientConditions, defineConfig } from "vite";
import { docs } from "./site/pages.ts";
import { articlePages } from "./site/plugin.ts";

const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: docs,
  base: "./",
  publicDir: fromHere("public"),
  plugins: [articlePages()],
  // In this repository "unnoise" means the sources.
  resolve: { conditions: ["unnoise-source", ...defaultClientConditions] },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  optimizeDeps: { include: ["zod/mini"] },
  worker: { format: "es" },
  server: { fs: { allow: [fromHere("../..")] } },
  build: { outDir: fromHere("../../dist-article"), emptyOutDir: true, target: "es2023", assetsInlineLimit: 0 },
});
