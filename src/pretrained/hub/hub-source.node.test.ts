import { spawn } from "node:child_process";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { COMMIT as RECORDED, layoutOf, servedFiles } from "../../../test/fixtures/pretrained/hub-cache.ts";
import { HubServer, TOKEN, gitShaOf, sha256Of } from "../../../test/support/hub-server.ts";
import type { ServedRepository } from "../../../test/support/hub-server.ts";
import { readJson } from "../source/source.ts";
import type { PretrainedProgress } from "../source/url-source.ts";
import { HubSource } from "./hub-source.node.ts";
import type { HubOptions } from "./settings.node.ts";

const fixtures = fileURLToPath(new URL("../../../test/fixtures/pretrained", import.meta.url));
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const ID = "owner/tiny";
const weights = "unet/weights.safetensors";
const large = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7919) >> 3));
const small = Buffer.from('{"_class_name": "DDPMPipeline"}');
const files = { "model_index.json": small, "README.md": Buffer.from("# tiny"), [weights]: large };
const repositories = (): Record<string, ServedRepository> => ({
  [`models/${ID}`]: { commit: COMMIT, revisions: ["main", "refs/pr/1"], files, formerly: "models/old-name" },
  "models/owner/gated": { commit: COMMIT, files, access: "gated" },
  "models/owner/private": { commit: COMMIT, files, access: "private" },
  "datasets/owner/tiny": { commit: COMMIT, files: { "data/a.parquet": large } },
});

let server: HubServer;
let cacheDir: string;
const repository = () => join(cacheDir, "models--owner--tiny");

beforeAll(async () => (server = await HubServer.open(repositories())));
afterAll(() => server.close());
beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), "unnoise-hub-"));
  vi.stubEnv("HF_ENDPOINT", server.endpoint);
  vi.stubEnv("HF_HOME", join(cacheDir, "home"));
  for (const name of ["HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_CACHE", "HF_HUB_OFFLINE"]) vi.stubEnv(name, "");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  Object.assign(server, { delay: 0, status: undefined, corrupt: undefined });
  server.requests.length = 0;
  server.breaks.length = 0;
  await rm(cacheDir, { recursive: true, force: true });
});

const open = (options: HubOptions = {}, id = ID) => HubSource.open("model", id, { cacheDir, ...options });
const contentOf = (source: HubSource, path = weights) =>
  source.withFile(path, async (file) => Buffer.from(await file.read(0, file.bytes)));
const asked = (of: "hub" | "cdn") => server.requests.filter((request) => request.server === of);

describe("a repository of the hub", () => {
  test("comes into the cache as huggingface_hub lays it out, and only what is asked for", async () => {
    const source = await open();
    expect(source.commit).toBe(COMMIT);
    expect(await source.paths()).toEqual(Object.keys(files).toSorted());
    expect((await readJson(source, "model_index.json"))?.value).toEqual({ _class_name: "DDPMPipeline" });
    expect(await contentOf(source)).toEqual(large);
    expect(await readFile(join(repository(), "refs", "main"), "utf8")).toBe(COMMIT);
    expect((await readdir(join(repository(), "blobs"))).toSorted()).toEqual(
      [gitShaOf(small), sha256Of(large)].toSorted(),
    );
    const snapshot = join(repository(), "snapshots", COMMIT);
    expect(await readlink(join(snapshot, weights))).toBe(`../../../blobs/${sha256Of(large)}`);
    expect(await readlink(join(snapshot, "model_index.json"))).toBe(`../../blobs/${gitShaOf(small)}`);
    expect((await readdir(snapshot)).toSorted()).toEqual(["model_index.json", "unet"]);
  });

  test("has the very layout that huggingface_hub wrote of the same files, but for its own notes", async () => {
    const recorded = JSON.parse(await readFile(join(fixtures, "hub-cache.json"), "utf8")) as Record<string, string>;
    const theirs = Object.entries(recorded).filter(([path]) => !/^\.locks|^CACHEDIR\.TAG|\/trees\//.test(path));
    const served = { commit: RECORDED, files: await servedFiles() };
    server.repositories["models/owner/tiny"] = served;
    const source = await open();
    for (const path of Object.keys(served.files)) await contentOf(source, path);
    expect(await layoutOf(cacheDir)).toEqual(Object.fromEntries(theirs));
    server.repositories["models/owner/tiny"] = repositories()["models/owner/tiny"];
  });

  test("that huggingface_hub has fetched is read without asking", async () => {
    const recorded = JSON.parse(await readFile(join(fixtures, "hub-cache.json"), "utf8")) as Record<string, string>;
    const served = Object.values(await servedFiles());
    for (const [path, content] of Object.entries(recorded)) {
      const place = join(cacheDir, path);
      await mkdir(dirname(place), { recursive: true });
      const blob = served.find((file) => [gitShaOf(file), sha256Of(file)].includes(basename(path)));
      await (content.startsWith("-> ") ? symlink(content.slice(3), place) : writeFile(place, blob ?? content));
    }
    const source = await open({ localFilesOnly: true });
    expect(await source.paths()).toEqual(Object.keys(await servedFiles()).toSorted());
    expect((await readJson(source, "model_index.json"))?.value).toMatchObject({ _class_name: "DDPMPipeline" });
    expect(server.requests).toEqual([]);
  });

  test("is not fetched twice, nor asked about what it does not have", async () => {
    await contentOf(await open());
    server.requests.length = 0;
    const source = await open();
    expect(await contentOf(source)).toEqual(large);
    expect(await contentOf(source, "unet/none.bin")).toBeUndefined();
    expect(server.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      `GET /api/models/${ID}/revision/main`,
    ]);
  });

  test("has revisions, also those with slashes, a former name, and datasets beside it", async () => {
    expect(await contentOf(await open({ revision: "refs/pr/1" }))).toEqual(large);
    expect(await readFile(join(repository(), "refs", "refs", "pr", "1"), "utf8")).toBe(COMMIT);
    expect(await contentOf(await open({ revision: COMMIT }), "README.md")).toEqual(files["README.md"]);
    expect(await contentOf(await open({}, "old-name"))).toEqual(large);
    const dataset = await HubSource.open("dataset", "owner/tiny", { cacheDir });
    expect(await contentOf(dataset, "data/a.parquet")).toEqual(large);
    expect(await readdir(join(cacheDir, "datasets--owner--tiny"))).toEqual(["blobs", "refs", "snapshots"]);
  });

  test("tells how much is there", async () => {
    const told: PretrainedProgress[] = [];
    await contentOf(await open({ onProgress: (progress) => told.push(progress) }));
    expect(told.at(0)).toMatchObject({ file: weights, totalBytes: large.length });
    expect(told.at(-1)).toEqual({ file: weights, receivedBytes: large.length, totalBytes: large.length });
  });

  test("without symbolic links is there all the same", async () => {
    vi.stubEnv("HF_HUB_DISABLE_SYMLINKS", "1");
    expect(await contentOf(await open())).toEqual(large);
    expect((await lstat(join(repository(), "snapshots", COMMIT, weights))).isFile()).toBe(true);
    expect(await contentOf(await open({ localFilesOnly: true }))).toEqual(large);
  });
});

describe("a token", () => {
  test("goes to the hub, and to no other host", async () => {
    vi.stubEnv("HF_TOKEN", ` ${TOKEN}\n`);
    expect(await contentOf(await open({}, "owner/private"))).toEqual(large);
    expect(asked("hub").length).toBeGreaterThan(2);
    expect(new Set(asked("hub").map(({ authorization }) => authorization))).toEqual(new Set([`Bearer ${TOKEN}`]));
    expect(asked("cdn").map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  test("comes from the option, or the variable, or Python's file, or a file by name", async () => {
    const sent = async (options: HubOptions = {}) => {
      server.requests.length = 0;
      await open(options);
      return server.requests[0].authorization;
    };
    expect(await sent()).toBeUndefined();
    await mkdir(join(cacheDir, "home"));
    await writeFile(join(cacheDir, "home", "token"), `${TOKEN}\n`);
    expect(await sent()).toBe(`Bearer ${TOKEN}`);
    await writeFile(join(cacheDir, "other"), "hf_other");
    vi.stubEnv("HF_TOKEN_PATH", join(cacheDir, "other"));
    expect(await sent()).toBe("Bearer hf_other");
    vi.stubEnv("HF_TOKEN", TOKEN);
    expect(await sent()).toBe(`Bearer ${TOKEN}`);
    expect(await sent({ token: "hf_other" })).toBe("Bearer hf_other");
    expect(await sent({ token: false })).toBeUndefined();
    vi.stubEnv("HF_TOKEN", "two words");
    await expect(open()).rejects.toThrow(/^HF_TOKEN: must be a token of the hub, letters and digits without blanks$/);
  });
});

describe("what cannot be had is one line", () => {
  test.each([
    [
      "no such repository",
      "owner/none",
      {},
      /^owner\/none: there is no such model at .*, or it is private: give a token \(HF_TOKEN\)$/,
    ],
    [
      "a private one",
      "owner/private",
      { token: "hf_other" },
      /or it is private: the token that is given does not allow it$/,
    ],
    [
      "a gated one",
      "owner/gated",
      {},
      /^owner\/gated: is gated: accept its terms at http:\/\/[\d.:]+\/owner\/gated; give a token \(HF_TOKEN\)$/,
    ],
    [
      "a gated one with a token",
      "owner/gated",
      { token: "hf_other" },
      /is gated: .*; the token that is given does not allow it$/,
    ],
    ["no such revision", ID, { revision: "v9" }, /^owner\/tiny: has no revision v9$/],
    ["an unknown token", ID, { token: "hf_wrong" }, /^http:\/\/[\d.:]+ does not know the token \(HF_TOKEN\)$/],
    [
      "a name that is none",
      "a/b/c",
      {},
      /^model: must be name or owner\/name, of letters, digits and \.-_, got "a\/b\/c"$/,
    ],
    [
      "a revision that is none",
      ID,
      { revision: "../x" },
      /^owner\/tiny: revision must be a branch, a tag or a commit, got "\.\.\/x"$/,
    ],
  ])("%s", async (_, id, options, message) => {
    await expect(open(options, id).then((source) => contentOf(source))).rejects.toThrow(message);
  });

  test("an address that is none", async () => {
    vi.stubEnv("HF_ENDPOINT", "huggingface.co");
    await expect(open()).rejects.toThrow('HF_ENDPOINT: must be an address that begins with http, got "huggingface.co"');
  });
});

describe("without the hub", () => {
  test.each([
    [
      "HF_HUB_OFFLINE",
      () => vi.stubEnv("HF_HUB_OFFLINE", "1"),
      /the hub is not asked \(HF_HUB_OFFLINE, localFilesOnly\)$/,
      0,
    ],
    ["a server out of order", () => (server.status = 503), /and http:\/\/[\d.:]+ answers 503$/, 1],
    [
      "no network",
      () => vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:9"),
      /and http:\/\/127\.0\.0\.1:9 cannot be reached: /,
      0,
    ],
  ])("%s: what is in the cache does, and what is not is said", async (_, unplug, message, requests) => {
    await contentOf(await open());
    server.requests.length = 0;
    unplug();
    const source = await open();
    expect(source.name).toBe("owner/tiny as it is in the cache");
    expect(await contentOf(source)).toEqual(large);
    expect(await contentOf(source, "README.md")).toBeUndefined();
    expect(await source.paths()).toEqual([weights]);
    expect(server.requests).toHaveLength(requests);
    await expect(open({ revision: "refs/pr/1" })).rejects.toThrow(
      /^owner\/tiny at revision refs\/pr\/1: not in the cache /,
    );
    await expect(open({}, "owner/none")).rejects.toThrow(message);
  });

  test("a cache that cannot be written is read", async () => {
    await contentOf(await open());
    if (process.getuid?.() !== 0) await chmod(join(repository(), "refs"), 0o500);
    const lines: string[] = [];
    expect(await contentOf(await open({ revision: "refs/pr/1", log: (line) => lines.push(line) }))).toEqual(large);
    await chmod(join(repository(), "refs"), 0o700);
    if (process.getuid?.() !== 0) expect(lines.join()).toMatch(/cannot write: permission denied/);
  });
});

describe("nothing is lost", () => {
  test("a connection that breaks is taken up where it broke", async () => {
    server.breaks.push(100_000, 50_000);
    expect(await contentOf(await open())).toEqual(large);
    const ranges = asked("cdn").map(({ range }) => range);
    expect(ranges).toEqual([undefined, "bytes=100000-", "bytes=150000-"]);
  });

  test("content that is not what its name says is fetched anew once, and then refused", async () => {
    server.corrupt = (content) => Buffer.from(content.map((byte, i) => (i === 9 ? byte + 1 : byte)));
    await expect(open().then((source) => contentOf(source))).rejects.toThrow(
      /^owner\/tiny: unet\/weights\.safetensors: what arrives is not what the hub announced: its checksum differs$/,
    );
    expect(asked("cdn")).toHaveLength(2);
    server.corrupt = undefined;
    expect(await contentOf(await open())).toEqual(large);
  });

  test("stops with the reason of its signal, and goes on from there", async () => {
    const controller = new AbortController();
    server.delay = 5;
    const onProgress = ({ receivedBytes }: PretrainedProgress) => {
      if (receivedBytes > 100_000) controller.abort(new Error("enough"));
    };
    const source = await open({ onProgress, signal: controller.signal });
    await expect(contentOf(source)).rejects.toThrow("enough");
    expect(await contentOf(await open())).toEqual(large);
    expect(asked("cdn").at(-1)?.range).toMatch(/^bytes=1\d{5}-$/);
  });

  const hubSource = fileURLToPath(new URL("hub-source.node.ts", import.meta.url));
  /** Another process that fetches the same. */
  const another = () => {
    const code = `
      import { HubSource } from ${JSON.stringify(hubSource)};
      const source = await HubSource.open("model", ${JSON.stringify(ID)}, { cacheDir: ${JSON.stringify(cacheDir)} });
      await source.withFile(${JSON.stringify(weights)}, async ({ bytes }) => console.log(bytes));`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (text) => (output += String(text)));
    const ended = new Promise<string>((resolve) => child.on("close", () => resolve(output.trim())));
    return { child, ended };
  };
  const untilAsked = async () => {
    while (asked("cdn").length === 0) await pause(10);
  };

  test("a process that is killed leaves what the next one goes on with", async () => {
    server.delay = 60;
    const { child, ended } = another();
    await untilAsked();
    await pause(250);
    child.kill("SIGKILL");
    await ended;
    server.delay = 0;
    expect(await contentOf(await open())).toEqual(large);
    expect(asked("cdn").at(-1)?.range).toMatch(/^bytes=\d+-$/);
    expect(await readdir(join(repository(), "blobs"))).toEqual([sha256Of(large)]);
  });

  // On a machine with other work, the second may look before the first has begun to write, and both fetch.
  test("of two processes one fetches, and both have it", { retry: 2 }, async () => {
    server.delay = 30;
    const { ended } = another();
    await untilAsked();
    expect(await contentOf(await open())).toEqual(large);
    expect(await ended).toBe(String(large.length));
    expect(asked("cdn")).toHaveLength(1);
    const both = await Promise.all([contentOf(await open(), "README.md"), contentOf(await open(), "README.md")]);
    expect(both).toEqual([files["README.md"], files["README.md"]]);
  });

  test("a part is taken from a process that is gone, and not from one of another machine that writes", async () => {
    const machine = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
    const blobs = join(repository(), "blobs");
    await mkdir(blobs, { recursive: true });
    const part = (writer: string) => join(blobs, `${sha256Of(large)}.${writer}.00000000.incomplete`);
    // A pid that no system gives.
    await writeFile(part(`99999999-${machine}`), large.subarray(0, 1000));
    expect(await contentOf(await open())).toEqual(large);
    expect(asked("cdn").at(-1)?.range).toBe("bytes=1000-");

    await rm(repository(), { recursive: true });
    await mkdir(blobs, { recursive: true });
    await writeFile(part("1-ffffffff"), large.subarray(0, 1000));
    const waiting = contentOf(await open());
    await pause(300);
    expect(asked("cdn")).toHaveLength(1);
    const longAgo = new Date(Date.now() - 600_000);
    await utimes(part("1-ffffffff"), longAgo, longAgo);
    expect(await waiting).toEqual(large);
    expect((await stat(join(blobs, sha256Of(large)))).size).toBe(large.length);
  });
});
