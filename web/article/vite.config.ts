import { fileURLToPath } from "node:url";
import { defaultClientConditions, defineConfig } from "vite";
import { withCompilerVersion } from "../../scripts/compiler-version.ts";
import { garmentsPlugin } from "./site/made/garments-plugin.ts";
import { openingPlugin } from "./site/made/opening-plugin.ts";
import { docs } from "./site/pages.ts";
import { articlePages } from "./site/plugin.ts";
import { programsPlugin } from "./site/made/programs-plugin.ts";

const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** What the development server would find only when a reader comes to it, and then load the page again. */
const FOUND_LATE = [
  "@codemirror/commands",
  "@codemirror/lang-javascript",
  "@codemirror/language",
  "@codemirror/state",
  "@codemirror/view",
  "@lezer/highlight",
  "@preact/signals",
  "preact",
  "preact/hooks",
  "preact/jsx-runtime",
  "preact/jsx-dev-runtime",
  "sucrase",
  "zod/mini",
];

/** The host of the built site may not send these: then a service worker adds them (isolation.ts). */
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default defineConfig({
  root: docs,
  base: "./",
  publicDir: fromHere("public"),
  plugins: [articlePages(), garmentsPlugin(), openingPlugin(), withCompilerVersion(), programsPlugin()],
  // In this repository "unnoise" means the sources.
  resolve: { conditions: ["unnoise-source", ...defaultClientConditions] },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  optimizeDeps: { include: FOUND_LATE },
  worker: { format: "es", plugins: () => [withCompilerVersion()] },
  server: { fs: { allow: [fromHere("../..")] }, headers: ISOLATION },
  build: { outDir: fromHere("../../dist-article"), emptyOutDir: true, target: "es2023", assetsInlineLimit: 0 },
});
