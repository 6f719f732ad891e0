import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{scripts,src,test}/**/*.test.ts"],
    pool: "forks",
  },
});
