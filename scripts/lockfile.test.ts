import { expect, test } from "vitest";
import { missingPackages } from "./lockfile.js";

const lock = {
  packages: {
    "": { version: "1.0.0" },
    "node_modules/zod": { version: "4.0.0" },
    "node_modules/node-win": { version: "1.0.0", optional: true },
    "node_modules/web": { link: true },
  },
};

test("everything but the project itself and other platforms' packages is missing where nothing is installed", () => {
  expect(missingPackages(lock, undefined)).toEqual(["node_modules/zod", "node_modules/web"]);
});

test("a package in another version counts as missing", () => {
  const web = { link: true };
  const installed = { packages: { "node_modules/zod": { version: "3.9.0" }, "node_modules/web": web } };
  expect(missingPackages(lock, installed)).toEqual(["node_modules/zod"]);
});

test("nothing is missing where the lockfile is met, whatever else is installed", () => {
  const packages = { ...lock.packages, "node_modules/other": { version: "1.0.0" } };
  expect(missingPackages(lock, { packages })).toEqual([]);
});
