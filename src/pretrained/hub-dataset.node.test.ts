import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { HubServer } from "../../test/support/hub-server.ts";
import { filesOf, hubDataset } from "./hub-dataset.node.ts";

const fixtures = fileURLToPath(new URL("../../test/fixtures/parquet", import.meta.url));
const commit = "0123456789abcdef0123456789abcdef01234567";

describe("a dataset of the hub", () => {
  let server: HubServer;
  let cacheDir: string;
  beforeAll(async () => {
    const gray = await readFile(join(fixtures, "gray.parquet"));
    const secret = await readFile(join(fixtures, "secret.parquet"));
    const files = { "README.md": Buffer.from("#"), "data/train-00000-of-00001.parquet": gray };
    server = await HubServer.open({
      "datasets/owner/garments": { commit, files: { ...files, "data/test-00000-of-00001.parquet": secret } },
      "datasets/owner/converted": {
        commit,
        revisions: ["main", "refs/convert/parquet"],
        files: { "garments/train/0000.parquet": gray, "garments/test/0000.parquet": secret },
      },
      "datasets/owner/text": { commit, files: { "train.csv": Buffer.from("a,b") } },
    });
    cacheDir = await mkdtemp(join(tmpdir(), "unnoise-hub-data-"));
    vi.stubEnv("HF_ENDPOINT", server.endpoint);
    vi.stubEnv("HF_HOME", cacheDir);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    server.close();
    await rm(cacheDir, { recursive: true, force: true });
  });

  test("comes from its own Parquet files, a split at a time, and then from the cache", async () => {
    const train = await hubDataset("owner/garments", { cacheDir });
    expect(train).toMatchObject({ name: "owner/garments train", length: 12, channels: 1 });
    expect(train.classNames).toHaveLength(3);
    expect(server.requests.some(({ url }) => url.includes("test-00000"))).toBe(false);
    expect((await hubDataset("owner/garments", { cacheDir, split: "test" })).labels).toBeUndefined();
    const offline = await hubDataset("owner/garments", { cacheDir, localFilesOnly: true });
    expect(offline.source).toBe("owner/garments as it is in the cache");
  });

  test("or from those that the hub has made", async () => {
    expect(await hubDataset("owner/converted", { cacheDir, config: "garments" })).toMatchObject({ length: 12 });
  });

  test("and says what there is not", async () => {
    await expect(hubDataset("owner/garments", { cacheDir, split: "dev" })).rejects.toThrow(
      "owner/garments: split must be one of test, train, got dev",
    );
    await expect(hubDataset("owner/text", { cacheDir })).rejects.toThrow(
      /^owner\/text: has no Parquet files, nor has the hub made any of it$/,
    );
    await expect(hubDataset("owner/none", { cacheDir })).rejects.toThrow(/^owner\/none: there is no such dataset at /);
    // @ts-expect-error there is no such option
    await expect(hubDataset("owner/none", { cache: cacheDir })).rejects.toThrow(/hubDataset: has no option cache/);
  });
});

describe("the Parquet files of a split", () => {
  test.each([
    [["fashion_mnist/train-00000-of-00001.parquet", "fashion_mnist/test-00000-of-00001.parquet"], 1],
    [["plain_text/train-00001-of-00002-abcdef.parquet", "plain_text/train-00000-of-00002-abcdef.parquet"], 2],
    [["mnist/train/0000.parquet", "mnist/train/0001.parquet", "mnist/test/0000.parquet"], 2],
    [["train.parquet", "validation.parquet", "train.json"], 1],
    [["data/train-00000-of-00001.parquet", "other/train-00000-of-00001.parquet"], 1],
  ])("of %j", (paths, count) => {
    const found = filesOf(paths, undefined, "train", "a/b");
    expect(found).toHaveLength(count);
    expect(found).toEqual(found.toSorted());
    expect(found.every((path) => path.includes("train"))).toBe(true);
  });

  test("of one of several datasets, which must be named", () => {
    const paths = ["en/train-00000-of-00001.parquet", "de/train-00000-of-00001.parquet"];
    expect(() => filesOf(paths, undefined, "train", "a/b")).toThrow(
      "a/b: has several datasets, de, en: name one as config",
    );
    expect(filesOf(paths, "de", "train", "a/b")).toEqual([paths[1]]);
    expect(() => filesOf(paths, "fr", "train", "a/b")).toThrow("a/b: config must be one of de, en, got fr");
  });
});
