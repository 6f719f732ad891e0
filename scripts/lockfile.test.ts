import { readFile } from "node:fs/promises";
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

// An address would be that of whatever registry or mirror the lockfile was written with. Without one, npm asks the
// registry of whoever installs, and still compares each package with its hash.
test("the project's lockfile pins every package by version and hash, and names no server to fetch it from", async () => {
  const text = await readFile(new URL("../package-lock.json", import.meta.url), "utf8");
  const { packages } = JSON.parse(text) as { packages: Record<string, { version?: string; integrity?: string }> };
  const locked = Object.entries(packages).filter(([path]) => path !== "");
  expect(locked.length).toBeGreaterThan(50);
  expect(locked.filter(([, { version, integrity }]) => !version || !integrity).map(([path]) => path)).toEqual([]);
  expect(text).not.toMatch(/"resolved"|https?:\/\/registry/);
});
