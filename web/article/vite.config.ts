import { fileURLToPath } from "node:url";
import { defaultClientConditions, defineConfig } from "vite";
import { withCompilerVersion } from "../../scripts/compiler-version.ts";
import { docs } from "./site/pages.ts";
import { articlePages } from "./site/plugin.ts";

const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: docs,
  base: "./",
  publicDir: fromHere("public"),
  plugins: [articlePages(), withCompilerVersion()],
  // In this repository "unnoise" means the sources.
  resolve: { conditions: ["unnoise-source", ...defaultClientConditions] },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  optimizeDeps: { include: ["zod/mini"] },
  worker: { format: "es", plugins: () => [withCompilerVersion()] },
  server: { fs: { allow: [fromHere("../..")] } },
  build: { outDir: fromHere("../../dist-article"), emptyOutDir: true, target: "es2023", assetsInlineLimit: 0 },
});
