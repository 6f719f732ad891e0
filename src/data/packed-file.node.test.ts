import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { idxFormat } from "./idx.ts";
import { cifar10 } from "./published/cifar10.node.ts";
import { tarFormat } from "./published/tar.ts";
import { readPacked } from "./packed-file.node.ts";

const MIB = 2 ** 20;
let folder = "";
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "unnoise-packed-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function put(name: string, content: Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

/** An IDX header of images, with as many bytes after it as one says. */
function idx(shape: readonly number[], bytes: number): Uint8Array {
  const file = Buffer.alloc(4 + 4 * shape.length + bytes);
  [0x800 + shape.length, ...shape].forEach((word, i) => file.writeUInt32BE(word, 4 * i));
  return file;
}

/** Megabytes of arrays that are kept while something is done. */
async function arraysDuring(work: () => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers)), 1);
  await work();
  clearInterval(watch);
  return (Math.max(most, process.memoryUsage().arrayBuffers) - before) / MIB;
}

describe("a gzip archive of little that unpacks to much", () => {
  test("stops where the IDX header says", async () => {
    const bomb = put("bomb.gz", gzipSync(idx([2, 4, 4], 256 * MIB), { level: 1 }));
    const used = await arraysDuring(async () => {
      await expect(readPacked(bomb, idxFormat)).rejects.toThrow(
        `${bomb}: damaged gzip file: it unpacks to more than the 48 bytes that its header asks for`,
      );
    });
    expect(used).toBeLessThan(32);
  });

  test("of zeros is no IDX file and no tar archive, from the first bytes", async () => {
    const zeros = put("zeros.gz", gzipSync(new Uint8Array(256 * MIB), { level: 1 }));
    const used = await arraysDuring(async () => {
      await expect(readPacked(zeros, idxFormat)).rejects.toThrow(`${zeros}: not an IDX file, but nothing but zeros`);
      await expect(readPacked(zeros, tarFormat(1e9))).rejects.toThrow(
        `${zeros}: not a tar archive, but nothing but zeros`,
      );
    });
    expect(used).toBeLessThan(32);
  });

  test("whose header asks for more than an archive of its length can hold takes no memory for it", async () => {
    const liar = put("liar.gz", gzipSync(idx([60_000, 128, 128], 100)));
    const used = await arraysDuring(async () => {
      const { bytes } = await readPacked(liar, idxFormat);
      expect(bytes).toHaveLength(116);
    });
    expect(used).toBeLessThan(8);
  });

  test("as CIFAR-10 stops at a file that is too large, before it is unpacked", async () => {
    const header = Buffer.alloc(512);
    header.write("cifar-10-batches-bin/data_batch_1.bin");
    header.write("77777777777\0", 124);
    header.fill(" ", 148, 156);
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, "0")}\0 `,
      148,
    );
    put("cifar-10-binary.tar.gz", gzipSync(Buffer.concat([header, new Uint8Array(64 * MIB)]), { level: 1 }));
    const used = await arraysDuring(async () => {
      await expect(cifar10({ directory: folder })).rejects.toThrow(
        'cifar-10-binary.tar.gz: damaged tar file: "cifar-10-batches-bin/data_batch_1.bin" ends after it',
      );
    });
    expect(used).toBeLessThan(32);
  });
});

test("a long file that is something else is refused before it is read", async () => {
  const long = put("long", idx([2, 4, 4], 8));
  truncateSync(long, 3 * 2 ** 30);
  const used = await arraysDuring(async () => {
    await expect(readPacked(long, idxFormat)).rejects.toThrow(
      `${long}: damaged IDX file: shape [2, 4, 4] needs 32 bytes, the file has 3221225456`,
    );
  });
  expect(used).toBeLessThan(8);
});

test("a whole archive is read, gzipped or not", async () => {
  const content = idx([2, 4, 4], 32).fill(7, 16);
  for (const path of [put("whole", content), put("whole.gz", gzipSync(content))]) {
    expect([...(await readPacked(path, idxFormat)).bytes]).toEqual([...content]);
  }
});
