import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{scripts,src,test}/**/*.test.ts"],
    // test/package needs src/index.ts and src/cli/main.ts.
    exclude: ["test/package/**"],
    pool: "forks",
  },
});
