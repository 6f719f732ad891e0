import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { RequestListener, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { cacheDirectory } from "./cache.node.ts";
import { download } from "./download.node.ts";
import { idxPair } from "../idx.node.ts";
import { unpack } from "../packed-file.node.ts";
import { openPublished } from "./published.node.ts";
import type { PublishedDataset, PublishedOptions } from "./published.node.ts";

let folder = "";
let servers: Server[] = [];
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "unnoise-"))));
afterEach(() => {
  vi.unstubAllEnvs();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  servers = [];
  rmSync(folder, { recursive: true, force: true });
});

const images = (count: number) =>
  Uint8Array.from([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 1, 0, 0, 0, 1, ...Array<number>(count).fill(count)]);
const labels = (count: number) => Uint8Array.from([0, 0, 8, 1, 0, 0, 0, count, ...Array<number>(count).fill(0)]);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** The published files: three training images and two test images, gzipped. */
const files: Readonly<Record<string, Uint8Array>> = {
  "train-images.gz": gzipSync(images(3)),
  "train-labels.gz": gzipSync(labels(3)),
  "test-images.gz": gzipSync(images(2)),
  "test-labels.gz": gzipSync(labels(2)),
};

function put(directory: string, names: readonly string[]): string {
  mkdirSync(directory, { recursive: true });
  for (const name of names) writeFileSync(join(directory, name), files[name]);
  return directory;
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const serveFiles: RequestListener = ({ url = "" }, response) => {
  const content = files[url.slice(1)];
  response.writeHead(content ? 200 : 404, { "content-length": content?.length ?? 0 }).end(content);
};

/** An address where nobody listens. */
async function closedPort(): Promise<string> {
  const home = await serve(serveFiles);
  await new Promise((resolve) => servers.pop()!.close(resolve));
  return home;
}

function published(places: Partial<PublishedDataset> = {}): PublishedDataset {
  const file = (name: string, content: Uint8Array) => ({ name, sha256: [sha256(content)] });
  return {
    name: "dots",
    classNames: ["dot"],
    splits: {
      train: { labels: file("train-labels", files["train-labels.gz"]), images: file("train-images", images(3)) },
      test: { labels: file("test-labels", labels(2)), images: file("test-images", images(2)) },
    },
    homes: [],
    systemDirectories: [],
    ...places,
  };
}

async function open(dataset: PublishedDataset, options: PublishedOptions = {}) {
  const lines: string[] = [];
  const opened = await openPublished(dataset, {
    cache: join(folder, "cache"),
    log: (line) => lines.push(line),
    ...options,
  });
  return { opened, lines };
}

const train = ["train-images.gz", "train-labels.gz"];
const testSplit = ["test-images.gz", "test-labels.gz"];

describe("places are tried in turn", () => {
  test("a named directory comes first, needs no checksum, and is not left for another place", async () => {
    const cache = put(join(folder, "cache/dots"), train);
    const mine = join(folder, "mine");
    mkdirSync(mine);
    const nothing = `${mine}: no train-labels.gz or train-labels there`;
    await expect(open(published(), { directory: mine })).rejects.toThrow(nothing);
    writeFileSync(join(mine, "train-images"), images(7));
    writeFileSync(join(mine, "train-labels.gz"), gzipSync(labels(7)));
    const { opened, lines } = await open(published(), { directory: mine });
    expect(lines).toEqual([`dots: 7 train images from the directory ${mine}`]);
    expect([opened.length, opened.source]).toEqual([7, `the directory ${mine}`]);
    expect(existsSync(cache)).toBe(true);
  });

  test("the cache comes before the system's directories", async () => {
    put(join(folder, "cache/dots"), train);
    const system = put(join(folder, "system"), train);
    const { opened, lines } = await open(published({ systemDirectories: [system] }));
    expect([opened.name, opened.length, opened.source]).toEqual([
      "dots train",
      3,
      `the cache ${join(folder, "cache/dots")}`,
    ]);
    expect(lines).toEqual([`dots: 3 train images from the cache ${join(folder, "cache/dots")}`]);
  });

  test("a damaged cache is passed over, and the next place is used", async () => {
    const cache = put(join(folder, "cache/dots"), train);
    writeFileSync(join(cache, "train-images.gz"), files["train-images.gz"].subarray(0, 20));
    const system = put(join(folder, "system"), train);
    const { opened, lines } = await open(published({ systemDirectories: [system] }));
    expect(opened.source).toBe(system);
    expect(lines[0]).toMatch(
      /^dots: not from .*cache.dots.train-images\.gz: damaged gzip file: unexpected end of file$/,
    );
  });

  test("a file with another content is passed over", async () => {
    const cache = put(join(folder, "cache/dots"), train);
    writeFileSync(join(cache, "train-images.gz"), gzipSync(images(4)));
    const { lines } = await open(
      published({ carried: { split: "test", directory: put(join(folder, "own"), testSplit) } }),
    );
    expect(lines[0]).toContain("train-images.gz: not the published file, its checksum differs");
  });

  test("a download is checked, kept, and found in the cache the next time", async () => {
    const home = await serve(serveFiles);
    const progress: string[] = [];
    const onProgress: PublishedOptions["onProgress"] = ({ file, receivedBytes, totalBytes }) =>
      progress.push(`${file} ${receivedBytes}/${totalBytes}`);
    const { opened } = await open(published({ homes: [home] }), { onProgress });
    expect([opened.length, opened.source]).toEqual([3, home]);
    const sizes = train.map((name) => `${name} ${files[name].length}/${files[name].length}`);
    expect(progress.toSorted()).toEqual(sizes);
    for (const name of train) expect(readFileSync(join(folder, "cache/dots", name))).toEqual(Buffer.from(files[name]));
    expect((await open(published(), { offline: true })).opened.source).toBe(`the cache ${join(folder, "cache/dots")}`);
  });

  test("without a cache nothing is kept", async () => {
    const { opened } = await open(published({ homes: [await serve(serveFiles)] }), { cache: false });
    expect(opened.length).toBe(3);
    expect(existsSync(join(folder, "cache"))).toBe(false);
  });

  test("a cache that cannot be written does not stop the download", async () => {
    writeFileSync(join(folder, "file"), "");
    const { opened, lines } = await open(published({ homes: [await serve(serveFiles)] }), {
      cache: join(folder, "file"),
    });
    expect(opened.length).toBe(3);
    expect(lines.at(-2)).toMatch(/^dots: no copy kept: /);
  });

  test("offline no home is asked", async () => {
    const asked = vi.fn<RequestListener>(serveFiles);
    const home = await serve(asked);
    await expect(open(published({ homes: [home] }), { offline: true })).rejects.toThrow(/^dots: found nowhere: /);
    expect(asked).not.toHaveBeenCalled();
  });

  test("a carried test split needs no network when it is what was asked for", async () => {
    const asked = vi.fn<RequestListener>(serveFiles);
    const carried = { split: "test", directory: put(join(folder, "own"), testSplit) } as const;
    const { opened } = await open(published({ homes: [await serve(asked)], carried }), { split: "test" });
    expect([opened.name, opened.length]).toEqual(["dots test", 2]);
    expect(asked).not.toHaveBeenCalled();
  });

  test("when all else fails, the carried test split serves, and every try has its line", async () => {
    const missing = await serve((_, response) => response.writeHead(404).end());
    const wrong = await serve((_, response) => response.end("<html>Sign in to this network</html>"));
    const carried = { split: "test", directory: put(join(folder, "own"), testSplit) } as const;
    vi.stubEnv("PATH", folder);
    const homes = [await closedPort(), missing, wrong];
    const debianPackage = { name: "dataset-dots", directory: "usr/share/dots" };
    const { opened, lines } = await open(published({ homes, carried, debianPackage }));
    expect([opened.name, opened.length, opened.source]).toEqual([
      "dots test",
      2,
      "the test split carried with unnoise",
    ]);
    expect(lines).toEqual([
      `dots: not from ${join(folder, "cache/dots")}: no train-labels.gz or train-labels there`,
      `dots: not from ${homes[0]}train-labels.gz: connection refused`,
      `dots: not from ${missing}train-labels.gz: the server answers 404`,
      `dots: not from ${wrong}train-labels.gz: not the published file, its checksum differs`,
      "dots: not from the Debian package dataset-dots: apt-get is not installed",
      "dots: 2 test images from the test split carried with unnoise",
    ]);
  });
});

describe("the Debian package", () => {
  const debianPackage = { name: "dataset-dots", directory: "usr/share/dots" };

  /** Commands of these names that stand for the real ones. */
  function stubCommands(aptGet: string, dpkgDeb: string): void {
    for (const [name, script] of Object.entries({ "apt-get": aptGet, "dpkg-deb": dpkgDeb })) {
      writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
      chmodSync(join(folder, name), 0o755);
    }
    vi.stubEnv("PATH", `${folder}:${process.env.PATH}`);
  }

  test("is downloaded, unpacked, checked and kept, and its temporary directory goes", async () => {
    const content = put(join(folder, "content"), train);
    const seen = join(folder, "seen");
    stubCommands(
      `pwd > ${seen}; for name; do :; done; [ "$name" = dataset-dots ] && touch dataset-dots_1_all.deb`,
      `[ "$1 $2" = "-x dataset-dots_1_all.deb" ] && mkdir -p "$3/usr/share/dots" && cp ${content}/* "$3/usr/share/dots"`,
    );
    const { opened } = await open(published({ debianPackage }));
    expect([opened.length, opened.source]).toEqual([3, "the Debian package dataset-dots"]);
    expect(existsSync(join(folder, "cache/dots/train-images.gz"))).toBe(true);
    expect(existsSync(readFileSync(seen, "utf8").trim())).toBe(false);
  });

  test.each([
    [
      "echo 'Reading...'; echo 'E: Unable to locate package dataset-dots' >&2; exit 100",
      "exit 1",
      "E: Unable to locate",
    ],
    ["exit 0", "exit 1", "apt-get brought no package dataset-dots"],
    ["touch a.deb", "echo 'dpkg-deb: error: no archive' >&2; exit 2", "dpkg-deb: dpkg-deb: error: no archive"],
  ])("where apt-get does `%s` the reason is named", async (aptGet, dpkgDeb, reason) => {
    stubCommands(aptGet, dpkgDeb);
    await expect(open(published({ debianPackage }))).rejects.toThrow(reason);
  });
});

describe("downloading", () => {
  test.each<[string, RequestListener, string]>([
    ["does not answer", () => {}, "no answer for 0.1 s"],
    ["stops in the middle", (_, response) => response.writeHead(200).write("abc"), "no more bytes for 0.1 s"],
    [
      "breaks off",
      (_, response) => {
        response.writeHead(200, { "content-length": 100 }).write("abc");
        setTimeout(() => response.destroy(), 20);
      },
      "connection lost",
    ],
    ["sends too much", (_, response) => response.end("x".repeat(2000)), "more than 1000 bytes"],
    ["fails", (_, response) => response.writeHead(503).end(), "the server answers 503"],
  ])("from a server that %s ends in one line", async (_, listener, message) => {
    const url = `${await serve(listener)}a.gz`;
    const limits = { maxBytes: 1000, connectTimeoutMs: 100, stallTimeoutMs: 100 };
    await expect(download(url, limits)).rejects.toThrow(new Error(`${url}: ${message}`));
  });

  test("a host that does not exist ends in one line", async () => {
    await expect(download("http://nowhere.invalid/a.gz", { maxBytes: 1 })).rejects.toThrow(
      /^http:\/\/nowhere\.invalid\/a\.gz: (its name cannot be looked up|no answer for 3 s)$/,
    );
  });

  test("a server that sends slowly, but steadily, is waited for", async () => {
    const url = await serve((_, response) => {
      response.writeHead(200);
      for (let piece = 0; piece < 5; piece++) setTimeout(() => response.write("a"), piece * 250);
      setTimeout(() => response.end(), 1250);
    });
    expect(await download(url, { maxBytes: 9, stallTimeoutMs: 1000 })).toEqual(new TextEncoder().encode("aaaaa"));
  });
});

describe("any IDX pair", () => {
  test("is opened from two paths, gzipped or not", async () => {
    writeFileSync(join(folder, "pictures"), images(5));
    writeFileSync(join(folder, "kinds.gz"), gzipSync(labels(5)));
    const pair = { images: join(folder, "pictures"), labels: join(folder, "kinds.gz") };
    const dataset = await idxPair(pair);
    expect(dataset).toMatchObject({ name: "pictures", source: `the file ${pair.images}`, length: 5 });
    expect(dataset.labels).toEqual(new Int32Array(5));
    const missing = join(folder, "none.gz");
    await expect(idxPair({ images: missing })).rejects.toThrow(`${missing}: cannot read: no such file or directory`);
  });

  test("a small archive that unpacks to more than the limit is refused", async () => {
    const bomb = gzipSync(new Uint8Array(10_000_001));
    expect(bomb.length).toBeLessThan(20_000);
    await expect(unpack(bomb, "bomb.gz", { maxBytes: 10_000_000, extent: () => () => undefined })).rejects.toThrow(
      "bomb.gz: damaged gzip file: it unpacks to more than 10000000 bytes",
    );
  });
});

test("the cache lies where the environment says", () => {
  expect(cacheDirectory({ UNNOISE_CACHE: "/a", XDG_CACHE_HOME: "/b" })).toBe("/a");
  expect(cacheDirectory({ UNNOISE_CACHE: "", XDG_CACHE_HOME: "/b" })).toBe(join("/b", "unnoise"));
  expect(cacheDirectory({ XDG_CACHE_HOME: "" })).toMatch(/\.cache.unnoise$/);
});
