import { readFile, symlink, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { FolderSource } from "./folder.node.ts";
import { DirectorySource, FileListSource } from "./page-files.ts";
import type { DirectoryHandle } from "./page-files.ts";
import { readJson } from "./source.ts";
import type { Source } from "./source.ts";
import { UrlSource } from "./url-source.ts";

const folder = fileURLToPath(new URL("../../../test/fixtures/pretrained/ddpm", import.meta.url));
const weights = "unet/diffusion_pytorch_model.safetensors";
const whole = new Uint8Array(await readFile(join(folder, weights)));

/** Reads the ends of three ranges. */
const someRanges = async (source: Source) =>
  source.withFile(weights, async (file) => [
    file.bytes,
    await file.read(0, 8),
    await file.read(8, 20_000),
    await file.read(30_001, 30_007),
    await file.read(file.bytes - 3, file.bytes),
  ]);
const expectedRanges = [
  whole.length,
  whole.slice(0, 8),
  whole.slice(8, 20_000),
  whole.slice(30_001, 30_007),
  whole.slice(-3),
];

/** What a server does with a request for a file. */
type Answer = (request: IncomingMessage, response: ServerResponse, content: Buffer) => void;

const plain: Answer = (_, response, content) => {
  response.writeHead(200, { "content-length": content.length }).end(content);
};
let answer: Answer = plain;
let server: Server;
let base: string;
const requests: IncomingMessage[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    requests.push(request);
    readFile(join(folder, decodeURIComponent(request.url ?? ""))).then(
      (content) => answer(request, response, content),
      () => response.writeHead(404).end("nothing"),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());
afterEach(() => {
  answer = plain;
  requests.length = 0;
});

function handleOf(path: string): DirectoryHandle {
  const notFound = () => Object.assign(new Error("none"), { name: "NotFoundError" });
  return {
    kind: "directory",
    name: "picked",
    getDirectoryHandle: (name) => Promise.resolve(handleOf(join(path, name))),
    getFileHandle: async (name) => {
      const content = await readFile(join(path, name)).catch(() => Promise.reject(notFound()));
      return { getFile: () => Promise.resolve(new File([content], name)) };
    },
  };
}

function chosenFile(path: string, content: Uint8Array<ArrayBuffer>): File {
  const file = new File([content], path.split("/").at(-1) ?? "");
  return Object.defineProperty(file, "webkitRelativePath", { value: path });
}

describe("every source", () => {
  const index = new TextEncoder().encode('{"_class_name": "DDPMPipeline"}');
  const sources: [string, () => Source][] = [
    ["a folder", () => new FolderSource(folder)],
    ["an address", () => new UrlSource(base)],
    ["a directory's handle", () => new DirectorySource(handleOf(folder))],
    [
      "a list of files",
      () => new FileListSource([chosenFile(`ddpm/${weights}`, whole), chosenFile("ddpm/model_index.json", index)]),
    ],
  ];

  test.each(sources)("%s: reads ranges in order and JSON, and says what is not there", async (_, open) => {
    const source = open();
    expect(await someRanges(source)).toEqual(expectedRanges);
    expect((await readJson(source, "model_index.json"))?.value).toMatchObject({ _class_name: "DDPMPipeline" });
    expect(await readJson(source, "unet/none.json")).toBeUndefined();
    expect(await readJson(source, "none/none.json")).toBeUndefined();
    for (const path of ["../x", "/etc/passwd", "a//b", "a/./b", "", "a\\..\\b", "c:/x", "a\0b"]) {
      await expect(readJson(source, path)).rejects.toThrow(/: a file's path must stay inside of it, got "/);
    }
  });
});

describe("a folder", () => {
  let place: string;
  beforeAll(async () => (place = await mkdtemp(join(tmpdir(), "unnoise-source-"))));
  afterAll(() => rm(place, { recursive: true, force: true }));

  test("follows links, and names what is not JSON or no file", async () => {
    await symlink(join(folder, "model_index.json"), join(place, "linked.json"));
    await writeFile(join(place, "broken.json"), "{");
    const source = new FolderSource(place);
    expect((await readJson(source, "linked.json"))?.value).toMatchObject({ _class_name: "DDPMPipeline" });
    await expect(readJson(source, "broken.json")).rejects.toThrow(`${join(place, "broken.json")}: not JSON`);
    await writeFile(join(place, "python.json"), '{"lambda_min_clipped": -Infinity}');
    expect((await readJson(source, "python.json"))?.value).toEqual({ lambda_min_clipped: -Infinity });
    await symlink(place, join(place, "directory"));
    await expect(readJson(source, "directory")).rejects.toThrow(/directory: cannot read: it is a directory/);
  });
});

describe("an address", () => {
  const source = () => new UrlSource(`${base}/`);

  test("is asked once for a file, and tells how much is there", async () => {
    const told: number[] = [];
    const onProgress = ({ receivedBytes }: { receivedBytes: number }) => told.push(receivedBytes);
    await someRanges(new UrlSource(base, { onProgress, headers: { "x-test": "1" } }));
    expect(told.at(-1)).toBe(whole.length);
    expect(requests.map(({ url, headers }) => [url, headers["x-test"]])).toEqual([[`/${weights}`, "1"]]);
  });

  test.each([
    ["with ranges", true],
    ["without ranges", false],
  ])("a connection that breaks is taken up again, by a server %s", async (_, hasRanges) => {
    let breaks = 2;
    answer = (request, response, content) => {
      const from = hasRanges ? Number(/\d+/.exec(request.headers.range ?? "")?.[0] ?? 0) : 0;
      const rest = content.subarray(from);
      const range = from > 0 ? { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` } : {};
      response.writeHead(from > 0 ? 206 : 200, { etag: '"v1"', "content-length": rest.length, ...range });
      if (breaks-- <= 0) return void response.end(rest);
      response.write(rest.subarray(0, from + 25_000 < content.length ? from + 25_000 : 10), () => response.destroy());
    };
    expect(await someRanges(source())).toEqual(expectedRanges);
    expect(requests.length).toBeGreaterThan(1);
    expect(requests[1].headers.range).toMatch(/^bytes=\d+-$/);
  });

  test("another version in the middle of a file is refused", async () => {
    answer = (_, response, content) => {
      response.writeHead(200, { etag: `"${requests.length}"`, "content-length": content.length });
      response.write(content.subarray(0, 10), () => response.destroy());
    };
    await expect(someRanges(source())).rejects.toThrow(/safetensors: the server has another version of it by now$/);
  });

  test("compressed on the way, or of unknown length", async () => {
    answer = (_, response, content) => void response.writeHead(200).end(content);
    expect(await someRanges(source())).toEqual(expectedRanges);
  });

  test("a server's own page in place of a file is no file; other answers are one line", async () => {
    answer = (_, response) => void response.writeHead(200, { "content-type": "text/html" }).end("<html>");
    expect(await readJson(source(), "model_index.json")).toBeUndefined();
    answer = (_, response) => void response.writeHead(503).end("busy");
    await expect(readJson(source(), "model_index.json")).rejects.toThrow(
      `${base}/model_index.json: cannot read: the server answers 503`,
    );
    answer = (request) => void request.socket.destroy();
    await expect(readJson(source(), "model_index.json")).rejects.toThrow(
      /^http:\/\/127\.0\.0\.1:\d+\/model_index\.json: cannot read: other side closed$/,
    );
  });

  test("stops with the reason of its signal", async () => {
    const controller = new AbortController();
    answer = (_, response, content) => {
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, 10), () => controller.abort(new Error("enough")));
    };
    await expect(someRanges(new UrlSource(base, { signal: controller.signal }))).rejects.toThrow("enough");
  });
});
