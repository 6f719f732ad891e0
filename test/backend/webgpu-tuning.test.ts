import { afterEach, describe, expect, test, vi } from "vitest";
import type { ByteCache } from "../../src/backend/backend.ts";
import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import {
  candidateTiles,
  invocationsOf,
  lhsStride,
  nameOfTile,
  rhsStride,
} from "../../src/backend/webgpu/kernels/tile.ts";
import type { Tile } from "../../src/backend/webgpu/kernels/tile.ts";
import { TileChoices } from "../../src/backend/webgpu/tuning/tile-choices.ts";
import { createWebGpuBackend } from "../../src/backend/webgpu/webgpu-backend.node.ts";
import type { WebGpuBackend, WebGpuOptions } from "../../src/backend/webgpu/webgpu-backend.ts";
import { conv2d } from "../../src/tensor/functions/functions.ts";
import { grad } from "../../src/tensor/autodiff/grad.ts";
import type { Graph } from "../../src/tensor/graph.ts";
import type { NdArray } from "../../src/tensor/ndarray.ts";
import { largestDifference } from "../support/evaluate.ts";
import { Random } from "../support/random.ts";
import { whyNoWebGpu } from "../support/webgpu.ts";
import { inputLeaves, runOnce } from "./context.ts";

// A driver in software compiles a shader in a tenth of a second, and much longer on a busy machine.
vi.setConfig({ testTimeout: 600_000 });

const fault = await whyNoWebGpu();

const opened: WebGpuBackend[] = [];
const open = async (options: WebGpuOptions = {}): Promise<WebGpuBackend> => {
  const backend = await createWebGpuBackend(options);
  opened.push(backend);
  return backend;
};
afterEach(async () => {
  vi.restoreAllMocks();
  for (const backend of opened.splice(0)) await backend.close();
});

interface Case {
  readonly graph: Graph;
  readonly inputs: readonly NdArray[];
}

/** Products that no tile divides: of matrices as they are and transposed, a convolution, and filters' gradients. */
function oddProducts(): Case {
  const random = new Random(9);
  const shapes = [
    [67, 37],
    [37, 69],
    [37, 68],
    [2, 7, 6, 8],
    [3, 3, 8, 66],
    [2, 7, 6, 7],
    [3, 3, 7, 66],
  ];
  const inputs = shapes.map((shape) => random.array(shape));
  const leaves = inputLeaves(inputs);
  const [a, b, c, image, filter, oddImage, oddFilter] = leaves;
  const convolved = conv2d(image, filter, { padding: 1 });
  const loss = convolved
    .square()
    .sum()
    .add(conv2d(oddImage, oddFilter, { padding: 1 }).multiply(convolved).sum());
  const outputs = [a.matmul(b), c.transpose().matmul(b), convolved, ...grad(loss, [filter, oddFilter])];
  return { graph: { inputs: leaves, outputs, updates: [] }, inputs };
}

/** A product that few tiles fit. */
function smallProduct(): Case {
  const random = new Random(3);
  const inputs = [random.array([20, 9]), random.array([9, 10])];
  const leaves = inputLeaves(inputs);
  return { graph: { inputs: leaves, outputs: [leaves[0].matmul(leaves[1])], updates: [] }, inputs };
}

/** A cache of files in memory. */
function memoryCache(): ByteCache & { readonly files: Map<string, Uint8Array<ArrayBuffer>> } {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  return {
    files,
    read: async (name) => files.get(name),
    write: async (name, bytes) => void files.set(name, bytes),
  };
}

/** Runs a small product as a process of its own would. */
async function process(options: WebGpuOptions) {
  const lines: string[] = [];
  const backend = await open({ ...options, log: (line) => lines.push(line) });
  const submit = vi.spyOn(backend.device.queue, "submit");
  const shaders = vi.spyOn(backend.device, "createShaderModule");
  const { graph, inputs } = smallProduct();
  const [output] = await runOnce(backend, graph, inputs);
  const code = shaders.mock.lastCall?.[0].code ?? "";
  // One of them is the run itself.
  return { lines, output, code, measured: submit.mock.calls.length - 1 };
}

/** Choices of one tile for every kernel that it may compute. */
class OneTile extends Map<string, string> {
  readonly #tile: string;

  constructor(tile: string) {
    super();
    this.#tile = tile;
  }

  override get size(): number {
    return 1;
  }

  override get(): string {
    return this.#tile;
  }
}

/** Whether a shader is for a tile, however the left operand lies. */
function isFor(tile: Tile, code: string): boolean {
  const lhs = [tile.rows * lhsStride(tile, false), tile.inner * lhsStride(tile, true)];
  const holds = (name: string, length: number): boolean => code.includes(`${name}: array<vec4<f32>, ${length}>`);
  return (
    lhs.some((length) => holds("lhs_tile", length)) &&
    holds("rhs_tile", tile.inner * rhsStride(tile)) &&
    code.includes(`@workgroup_size(${invocationsOf(tile)})`) &&
    code.includes(`${tile.rowsEach - 1}_${tile.columnsEach / 4 - 1} = fma(`)
  );
}

/** Replaces the only file of a cache. */
function keep({ files }: ReturnType<typeof memoryCache>, text: string): void {
  const [name] = files.keys();
  files.set(name, new TextEncoder().encode(text));
}

/** The choices in the only file of a cache. */
function choicesIn(cache: ReturnType<typeof memoryCache>): { adapter: string; tiles: Record<string, string> } {
  const [bytes] = cache.files.values();
  return JSON.parse(new TextDecoder().decode(bytes)) as ReturnType<typeof choicesIn>;
}

/** What may compute a product of so many rows and columns on a device. */
function candidatesOn({ limits }: GPUDevice, rows: number, columns: number): Tile[] {
  const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupStorageSize } = limits;
  const traits = { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupStorageSize, smallTiles: false };
  return candidateTiles({ batches: 1, rows, columns, inner: 37 }, traits);
}

describe.skipIf(fault !== undefined)(`tiles on WebGPU (${fault ?? "an adapter is there"})`, () => {
  test("give the reference's results, whichever is taken", async () => {
    const backend = await open();
    const { graph, inputs } = oddProducts();
    const expected = await runOnce(ReferenceBackend.create(), graph, inputs);
    const shaders = vi.spyOn(backend.device, "createShaderModule");
    const tiles = candidatesOn(backend.device, 67, 69);
    expect(tiles.length).toBeGreaterThan(8);
    for (const tile of tiles) {
      vi.spyOn(TileChoices.prototype, "tiles", "get").mockResolvedValue(new OneTile(nameOfTile(tile)));
      const outputs = await runOnce(backend, graph, inputs);
      outputs.forEach(({ data }, i) => expect(largestDifference(data, expected[i].data)).toBeLessThan(5e-4));
      const names = shaders.mock.calls.filter(([{ code }]) => isFor(tile, code)).map(([{ label }]) => label);
      expect(new Set(names)).toEqual(new Set(["dot", "convolution", "filterGradient"]));
    }
  });

  test("are measured once for a kernel and an adapter, and found again by later processes", async () => {
    const cache = memoryCache();
    const first = await process({ tune: true, tileCache: cache });
    expect(first.measured).toBeGreaterThan(0);
    expect(first.lines).toEqual([
      expect.stringMatching(/^tuning 1 kernels for .*, once$/),
      expect.stringMatching(/^tuned in [\d.]+ s$/),
    ]);
    const { adapter, tiles } = choicesIn(cache);
    expect(adapter).not.toBe("");
    const [[key, name]] = Object.entries(tiles);
    const candidates = candidatesOn(opened[0].device, 20, 10);
    const picked = candidates.find((tile) => nameOfTile(tile) === name);
    if (!picked) throw new Error(`${name} is no candidate`);
    expect(isFor(picked, first.code)).toBe(true);

    // Another choice than the one made before tells that the file decides.
    const other = candidates.find((tile) => nameOfTile(tile) !== name) ?? picked;
    keep(cache, JSON.stringify({ adapter, tiles: { [key]: nameOfTile(other) } }));
    for (const tune of [true, false]) {
      const later = await process({ tune, tileCache: cache });
      expect({ lines: later.lines, measured: later.measured }).toEqual({ lines: [], measured: 0 });
      expect(isFor(other, later.code)).toBe(true);
      expect(later.output.data).toEqual(first.output.data);
    }
  });

  test("are not measured unless that is asked for", async () => {
    const cache = memoryCache();
    const { lines, measured } = await process({ tileCache: cache });
    expect({ lines, measured, files: cache.files.size }).toEqual({ lines: [], measured: 0, files: 0 });
  });

  test("are measured anew where the file is broken, of another adapter, or names a tile that there is not", async () => {
    const cache = memoryCache();
    await process({ tune: true, tileCache: cache });
    const { adapter, tiles } = choicesIn(cache);
    const [key] = Object.keys(tiles);
    const passedOver = expect.stringMatching(/^webgpu: passed over .* are not what was written$/) as string;
    const cases: [text: string, firstLine: unknown][] = [
      ["{", passedOver],
      [JSON.stringify({ adapter, tiles: { [key]: 3 } }), passedOver],
      [JSON.stringify({ adapter: "another", tiles }), passedOver],
      [JSON.stringify({ adapter, tiles: { [key]: "7x7x7/7" } }), expect.stringMatching(/^tuning 1 kernels /)],
    ];
    for (const [text, firstLine] of cases) {
      keep(cache, text);
      const { lines, measured } = await process({ tune: true, tileCache: cache });
      expect(lines[0]).toEqual(firstLine);
      expect(measured).toBeGreaterThan(0);
      expect(choicesIn(cache)).toEqual({
        adapter,
        tiles: { [key]: expect.stringMatching(/^\d+x\d+x\d+\/\d+x\d+$/) as string },
      });
    }
  });

  test("are taken without a clock on the GPU, and never one that does not compile", async () => {
    const cache = memoryCache();
    const backend = await open({ tune: true, tileCache: cache });
    const { device } = backend;
    Object.defineProperty(device, "features", { value: new Set() });
    const survivor = candidatesOn(device, 20, 10)[1];
    const create = device.createShaderModule.bind(device);
    const refused: string[] = [];
    vi.spyOn(device, "createShaderModule").mockImplementation((descriptor) => {
      if (isFor(survivor, descriptor.code)) return create(descriptor);
      refused.push(descriptor.code);
      return create({ ...descriptor, code: "no shader" });
    });
    const { graph, inputs } = smallProduct();
    const querySets = vi.spyOn(device, "createQuerySet");
    const [output] = await runOnce(backend, graph, inputs);
    expect(querySets).not.toHaveBeenCalled();
    expect(refused.length).toBe(candidatesOn(device, 20, 10).length - 1);
    expect(Object.values(choicesIn(cache).tiles)).toEqual([nameOfTile(survivor)]);
    const [expected] = await runOnce(ReferenceBackend.create(), graph, inputs);
    expect(largestDifference(output.data, expected.data)).toBeLessThan(1e-5);
  });
});

test("choices of tiles for one adapter are not those for another", async () => {
  const cache = memoryCache();
  const choicesOf = (adapter: string) => new TileChoices(adapter, cache, () => {});
  const ours = choicesOf("vendor / driver 1");
  await ours.add("kernel", "64x64x16/8");
  expect([...(await choicesOf("vendor / driver 1").tiles)]).toEqual([["kernel", "64x64x16/8"]]);
  const theirs = choicesOf("vendor / driver 2");
  expect((await theirs.tiles).size).toBe(0);
  await theirs.add("kernel", "32x32x32/4");
  expect([...(await choicesOf("vendor / driver 1").tiles)]).toEqual([["kernel", "64x64x16/8"]]);
});
