import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{scripts,src,test}/**/*.test.ts"],
    pool: "forks",
    // Training and browsers on a busy machine.
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
