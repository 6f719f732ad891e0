import { availableParallelism } from "node:os";
import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

export default defineConfig({
  // In this repository "unnoise" means the sources.
  ssr: { resolve: { conditions: ["unnoise-source", ...defaultServerConditions] } },
  test: {
    include: ["{scripts,src,test,web}/**/*.test.ts"],
    pool: "forks",
    // Training and browsers on a busy machine.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Both cores of a small machine: much of the time tests wait for browsers, processes and files.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
});
