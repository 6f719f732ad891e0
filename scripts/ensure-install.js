// Runs before `npm start`, `npm test` and `npm run bench`, on the Node of the machine (18 or newer): installs what
// package-lock.json asks for and node_modules lacks, then makes sure that the script itself gets a Node that runs
// TypeScript. That Node is the npm package `node`: npm puts node_modules/.bin first on the PATH of its scripts.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { missingPackages } from "./lockfile.js";

const OLDEST_NODE = 24;
const root = fileURLToPath(new URL("..", import.meta.url));
const nodeModules = join(root, "node_modules");

/**
 * @param {string} path
 * @returns {import("./lockfile.js").Lockfile | undefined} undefined where there is no such file
 */
const readLockfile = (path) =>
  existsSync(path)
    ? /** @type {import("./lockfile.js").Lockfile} */ (JSON.parse(readFileSync(path, "utf8")))
    : undefined;

/** @param {string} line */
const say = (line) => process.stderr.write(`${line}\n`);

/**
 * @param {string} line
 * @returns {never}
 */
function stop(line) {
  say(line);
  process.exit(1);
}

/** The npm that runs us, on the Node that it runs on: not the one in node_modules, which an install replaces. */
function npm(/** @type {string[]} */ ...args) {
  const { npm_execpath: cli = "", npm_node_execpath: node = process.execPath } = process.env;
  const options = /** @type {const} */ ({ cwd: root, stdio: "inherit" });
  return /npm-cli\.c?js$/.test(cli)
    ? spawnSync(node, [cli, ...args], options)
    : spawnSync(["npm", ...args].join(" "), { ...options, shell: true });
}

function install() {
  const lock = readLockfile(join(root, "package-lock.json"));
  if (lock === undefined) stop("package-lock.json is missing: restore it with `git checkout package-lock.json`.");
  const missing = missingPackages(lock, readLockfile(join(nodeModules, ".package-lock.json")));
  if (missing.length === 0) return;
  say(`Installing ${missing.length} npm packages into node_modules (needed once, about a minute) ...`);
  const { status } = npm("ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error");
  if (status !== 0) stop("The installation failed: npm's message above says why. Mend that and run the command again.");
}

/** The version of the Node that npm scripts find, or undefined where it does not run on this machine. */
function versionOnPath() {
  const env = { ...process.env, PATH: [join(nodeModules, ".bin"), process.env.PATH].join(delimiter) };
  const { status, stdout } = spawnSync("node --version", { cwd: root, env, shell: true, encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

/** @param {string | undefined} version */
const isNewEnough = (version) => version !== undefined && Number(/\d+/.exec(version)?.[0]) >= OLDEST_NODE;

/** Where npm refuses install scripts, the package `node` arrives without its program: run the script ourselves. */
function fetchNode() {
  const directory = join(nodeModules, "node");
  if (!existsSync(join(directory, "installArchSpecificPackage.js"))) return;
  say("Fetching Node from npm ...");
  spawnSync(process.execPath, ["installArchSpecificPackage.js"], { cwd: directory, stdio: "inherit" });
  npm("rebuild", "node", "--ignore-scripts", "--loglevel=error"); // links it into node_modules/.bin
}

function ensureNode() {
  if (isNewEnough(versionOnPath())) return;
  fetchNode();
  // A program for another C library (Alpine) would hide a good Node further down the PATH.
  if (versionOnPath() === undefined) rmSync(join(nodeModules, ".bin", "node"), { force: true });
  const version = versionOnPath();
  if (isNewEnough(version)) return;
  stop(
    `unnoise runs its sources on Node ${OLDEST_NODE} or newer; here npm scripts get ${version ?? "none"}, and the npm ` +
      `package "node" did not bring one.\nInstall Node ${OLDEST_NODE} (https://nodejs.org) or allow npm to run the install ` +
      `script of "node" (ignore-scripts must be off), then run the command again.`,
  );
}

install();
ensureNode();
