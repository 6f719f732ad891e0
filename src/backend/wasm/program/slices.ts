import type { Affine } from "../../../compiler/affine.ts";
import { writesOf } from "../../../compiler/accesses.ts";
import { childrenOf } from "../../../compiler/program.ts";
import type {
  Buffer,
  DotKernel,
  Expression,
  Kernel,
  MapKernel,
  ReduceKernel,
  Store,
  View,
} from "../../../compiler/program.ts";
import { beyond, boundsIn, narrow, rangesOf } from "../../../compiler/passes/ranges.ts";
import type { KnownRanges } from "../../../compiler/passes/ranges.ts";

/** What a kernel does to one of equal slices of a batch. */
export interface KernelSlice {
  /** As if the batch were no more than the slice, which buffers in `sliced` begin with. */
  readonly kernel: Kernel;
  /** Buffers of which it uses the same slice; it reads others whole. */
  readonly sliced: ReadonlySet<Buffer>;
}

/** Expressions and places in memory over the same axes, of which one is cut. */
interface Domain {
  readonly axes: readonly number[];
  readonly axis: number;
  readonly values: readonly Expression[];
  readonly views: readonly View[];
}

/** One of `slices` equal parts of a kernel, along the outermost axis of its results, unless parts depend on more than a part each. */
export function sliceKernel(kernel: Kernel, slices: number): KernelSlice | undefined {
  const cut = cutKernel(kernel, slices);
  const domains = cut && domainsOf(kernel);
  if (!cut || !domains) return undefined;
  const uses = new SliceUses(slices);
  for (const domain of domains) uses.add(domain);
  if (kernel.kind === "filterGradient") for (const buffer of [kernel.cotangent, kernel.result]) uses.slice(buffer);
  if (!uses.possible || !writesOf(kernel).every((buffer) => uses.sliced.has(buffer))) return undefined;
  return { kernel: cut, sliced: uses.sliced };
}

/** The axis over which a kernel's first result lies in equal parts one after another, if there is one. */
function outermost(axes: readonly number[], { index, buffer }: Store): number {
  return axes.findIndex((n, axis) => n > 1 && index.coefficients[axis] * n === buffer.length);
}

/** The axis that slices cut. */
function axisOf(kernel: MapKernel | ReduceKernel | DotKernel): number {
  if (kernel.kind !== "reduce") return outermost(kernel.axes, kernel.stores[0]);
  const { axes, kept, stages, stores } = kernel;
  const [store] = [...stores, ...stages.flatMap((stage) => stage.stores)];
  return outermost(axes.slice(0, kept), store);
}

function cutKernel(kernel: Kernel, slices: number): Kernel | undefined {
  const divides = (n: number): boolean => n % slices === 0;
  switch (kernel.kind) {
    case "map":
    case "reduce":
    case "dot": {
      const axis = axisOf(kernel);
      if (axis === -1 || !divides(kernel.axes[axis])) return undefined;
      return { ...kernel, axes: kernel.axes.with(axis, kernel.axes[axis] / slices) };
    }
    case "convolution": {
      if (kernel.ahead === "images") return undefined;
      const batch = kernel.shape.batch / slices;
      if (!Number.isInteger(batch)) return undefined;
      return { ...kernel, shape: { ...kernel.shape, batch }, axes: kernel.axes.with(0, batch) };
    }
    case "filterGradient": {
      const { shape, parts } = kernel;
      if (!divides(parts)) return undefined;
      return { ...kernel, shape: { ...shape, batch: shape.batch / slices }, parts: parts / slices };
    }
    case "transform":
    case "attention":
    case "attentionGradient":
      return undefined;
  }
}

function domainsOf(kernel: Kernel): Domain[] | undefined {
  const storing = (axes: readonly number[], axis: number, stores: readonly Store[]): Domain => ({
    axes,
    axis,
    values: stores.map(({ value }) => value),
    views: stores,
  });
  switch (kernel.kind) {
    case "map":
      return [storing(kernel.axes, axisOf(kernel), kernel.stores)];
    case "reduce": {
      const { axes, kept, stages } = kernel;
      const axis = axisOf(kernel);
      const results = axes.map((n, i) => (i < kept ? n : 1));
      const terms = stages.map((stage) => storing(axes, axis, stage.stores));
      const values = stages.flatMap(({ accumulators }) => accumulators.map(({ value }) => value));
      return [...terms, { axes, axis, values, views: [] }, storing(results, axis, kernel.stores)];
    }
    case "dot": {
      const { axes, lhs, rhs, stores } = kernel;
      const axis = axisOf(kernel);
      if (axis >= axes.length - 2) return undefined;
      return [{ axes, axis, values: [], views: [lhs, rhs] }, storing([...axes.slice(0, -1), 1], axis, stores)];
    }
    case "convolution":
    case "filterGradient": {
      const { batch, input, inChannels } = kernel.shape;
      const image = { axes: [batch, ...input, inChannels], axis: 0, values: [kernel.input], views: [] };
      return kernel.kind === "convolution" ? [image, storing(kernel.axes, 0, kernel.stores)] : [image];
    }
    case "transform":
    case "attention":
    case "attentionGradient":
      return undefined;
  }
}

/** How a kernel uses buffers when its outermost axis is cut. */
class SliceUses {
  readonly sliced = new Set<Buffer>();
  readonly #whole = new Set<Buffer>();
  readonly #slices: number;
  possible = true;

  constructor(slices: number) {
    this.#slices = slices;
  }

  add(domain: Domain): void {
    const ranges = rangesOf(domain.axes);
    for (const { buffer, index } of domain.views) this.#access(buffer, index, domain, ranges);
    const seen = new Set<Expression>();
    for (const value of domain.values) this.#visit(value, domain, ranges, seen);
  }

  slice(buffer: Buffer): void {
    this.sliced.add(buffer);
    this.possible &&= !this.#whole.has(buffer) && buffer.length % this.#slices === 0;
  }

  /** Follows an expression into the branches that can be taken; `seen` holds what was visited with these ranges. */
  #visit(node: Expression, domain: Domain, ranges: KnownRanges, seen: Set<Expression>): void {
    if (!this.possible || seen.has(node)) return;
    seen.add(node);
    const depends = "index" in node && node.index.coefficients[domain.axis] !== 0;
    switch (node.kind) {
      case "load":
        if (node.row && depends) this.possible = false;
        if (node.row) this.#visit(node.row.row, domain, ranges, seen);
        this.#access(node.buffer, node.index, domain, ranges);
        break;
      case "index":
        this.possible &&= !depends;
        break;
      case "within": {
        this.possible &&= !depends;
        const { index, low, high, inside, outside } = node;
        this.#visit(inside, domain, narrow(ranges, index, low, high - 1), new Set());
        this.#visit(outside, domain, beyond(ranges, index, low, high), new Set());
        break;
      }
      default:
        for (const child of childrenOf(node)) this.#visit(child, domain, ranges, seen);
    }
  }

  #access(buffer: Buffer, index: Affine, { axes, axis }: Domain, ranges: KnownRanges): void {
    const step = index.coefficients[axis];
    if (step === 0) {
      this.#whole.add(buffer);
      this.possible &&= !this.sliced.has(buffer);
      return;
    }
    this.slice(buffer);
    // The part of a buffer that belongs to an index of the axis, and whether all accesses stay in it.
    const within = ranges && boundsIn({ ...index, coefficients: index.coefficients.with(axis, 0) }, ranges);
    this.possible &&= step * axes[axis] === buffer.length && within !== undefined && within[0] >= 0 && within[1] < step;
  }
}
