import { readsOf, writesOf } from "../../../compiler/accesses.ts";
import type { Buffer, Kernel, Program } from "../../../compiler/program.ts";
import { replaceBuffers } from "../../../compiler/passes/updates.ts";
import { sliceKernel } from "./slices.ts";
import type { KernelSlice } from "./slices.ts";

/** A kernel, by its place in the program. */
export interface Single {
  readonly kind: "single";
  readonly kernel: Kernel;
  readonly place: number;
}

/**
 * Kernels that run one after another on each slice of a batch, so that each finds in the cache what the one before
 * left there. Slices do not depend on each other.
 */
export interface Chain {
  readonly kind: "chain";
  readonly slices: number;
  readonly members: readonly Member[];
  /** Buffers that no kernel outside uses, which hold one slice: each thread has its own. */
  readonly own: readonly Buffer[];
}

export interface Member extends KernelSlice {
  readonly place: number;
}

/** What threads do between two barriers at most. */
export type Step = Single | Chain;

export function kernelsOf(step: Step): readonly Kernel[] {
  return step.kind === "single" ? [step.kernel] : step.members.map(({ kernel }) => kernel);
}

export interface ChainLimits {
  /** Smaller batches are not shared out by slices. */
  readonly fewestSlices: number;
  /** Bytes of the largest tensor of a slice, from which on it is worth it. */
  readonly leastBytes: number;
  /** How many slices, unless one for each image that a network's convolutions work on. */
  readonly slices?: number;
}

/**
 * 16 slices keep as many threads busy. Tensors of 40 KiB an image, at batch 128, are 5 MiB each: few of them fit into the
 * last cache.
 */
export const CHAIN_LIMITS: ChainLimits = { fewestSlices: 16, leastBytes: 40 * 1024 };

/** What a chain's kernels leave for kernels that run after it, at most, in bytes. */
const MOST_DEFERRED_BYTES = 32 * 1024 * 1024;

/** Kernels that run one after another. */
export interface Part extends Pick<Program, "kernels"> {
  /** Buffers that are used beside these kernels. */
  readonly shared: Iterable<Buffer>;
  /** Among the program's kernels, the place of the first. */
  readonly start: number;
}

/** Finds chains of kernels, image by image of a network's batch. Kernels keep their order but for those that do not depend on each other. */
export function chainKernels({ kernels, shared, start }: Part, limits: ChainLimits): Step[] {
  const slices = limits.slices ?? batchOf(kernels);
  const singles = kernels.map((kernel, i): Single => ({ kind: "single", kernel, place: start + i }));
  if (slices < Math.max(2, limits.fewestSlices)) return singles;
  const steps: Step[] = [];
  let open = new OpenChain(slices);
  const close = (): void => {
    steps.push(...open.steps());
    open = new OpenChain(slices);
  };
  for (const single of singles) {
    const { kernel } = single;
    const slice = sliceKernel(kernel, slices);
    const isLarge = slice !== undefined && bytesPerSlice(slice, slices) >= limits.leastBytes;
    const suits = slice && (isLarge || (open.feeds(kernel) && !rereadsMore(slice, slices)));
    if (suits && open.accepts(slice)) open.add({ ...slice, place: single.place }, single);
    else if (open.isIndependent(kernel)) steps.push(single);
    else if (!isLarge && open.mayDefer(kernel)) open.defer(single);
    else {
      close();
      if (isLarge) open.add({ ...slice, place: single.place }, single);
      else steps.push(single);
    }
  }
  close();
  const users = usersOf(kernels, shared);
  return steps.map((step) => (step.kind === "chain" ? withOwnBuffers(step, users) : step));
}

/** How many images a network's convolutions work on: those of most kernels. */
function batchOf(kernels: readonly Kernel[]): number {
  const counts = new Map<number, number>();
  for (const kernel of kernels)
    if (kernel.kind === "convolution") counts.set(kernel.shape.batch, (counts.get(kernel.shape.batch) ?? 0) + 1);
  const [most] = [...counts].toSorted(([, a], [, b]) => b - a);
  return most?.[0] ?? 0;
}

/** Whether what a kernel reads again for each slice is larger than a slice: weights, at low resolutions. */
function rereadsMore(slice: KernelSlice, slices: number): boolean {
  const whole = [...readsOf(slice.kernel)].filter((buffer) => !slice.sliced.has(buffer));
  return isContraction(slice.kernel) && whole.some(({ length }) => 4 * length > bytesPerSlice(slice, slices));
}

function isContraction({ kind }: Kernel): boolean {
  return kind === "dot" || kind === "convolution" || kind === "filterGradient";
}

function bytesPerSlice({ sliced }: KernelSlice, slices: number): number {
  return (4 * Math.max(0, ...[...sliced].map(({ length }) => length))) / slices;
}

/** A chain that may still grow, and kernels that have to run after it. */
class OpenChain {
  readonly #slices: number;
  readonly #members: Member[] = [];
  readonly #singles: Single[] = [];
  readonly #deferred: Single[] = [];
  readonly #chainUses = new Uses();
  readonly #deferredUses = new Uses();
  #deferredBytes = 0;

  constructor(slices: number) {
    this.#slices = slices;
  }

  /** Whether a kernel reads what the chain writes. */
  feeds(kernel: Kernel): boolean {
    return [...readsOf(kernel)].some((buffer) => this.#chainUses.written.has(buffer));
  }

  isIndependent(kernel: Kernel): boolean {
    return !this.#chainUses.conflictsWith(kernel) && !this.#deferredUses.conflictsWith(kernel);
  }

  /** Whether a slice needs no more of the chain than the same slice. */
  accepts({ kernel, sliced }: KernelSlice): boolean {
    const { read, written } = this.#chainUses;
    const whole = [...readsOf(kernel)].filter((buffer) => !sliced.has(buffer));
    return (
      !whole.some((buffer) => written.has(buffer)) &&
      !writesOf(kernel).some((buffer) => read.has(buffer) || written.has(buffer)) &&
      !this.#deferredUses.conflictsWith(kernel)
    );
  }

  add(member: Member, single: Single): void {
    this.#members.push(member);
    this.#singles.push(single);
    this.#chainUses.add(member.kernel);
  }

  mayDefer(kernel: Kernel): boolean {
    return this.#deferredBytes + this.#bytesFor(kernel) <= MOST_DEFERRED_BYTES;
  }

  defer(single: Single): void {
    this.#deferredBytes += this.#bytesFor(single.kernel);
    this.#deferred.push(single);
    this.#deferredUses.add(single.kernel);
  }

  #bytesFor(kernel: Kernel): number {
    const kept = [...readsOf(kernel)].filter((buffer) => this.#chainUses.written.has(buffer));
    return 4 * kept.reduce((sum, { length }) => sum + length, 0);
  }

  steps(): Step[] {
    if (this.#members.length < 2) return [...this.#singles, ...this.#deferred];
    const chain: Chain = { kind: "chain", slices: this.#slices, members: this.#members, own: [] };
    return [chain, ...this.#deferred];
  }
}

/** What some kernels read and write. */
class Uses {
  readonly read = new Set<Buffer>();
  readonly written = new Set<Buffer>();

  add(kernel: Kernel): void {
    for (const buffer of readsOf(kernel)) this.read.add(buffer);
    for (const buffer of writesOf(kernel)) this.written.add(buffer);
  }

  /** Whether a kernel may not change places with them. */
  conflictsWith(kernel: Kernel): boolean {
    return (
      [...readsOf(kernel)].some((buffer) => this.written.has(buffer)) ||
      writesOf(kernel).some((buffer) => this.read.has(buffer) || this.written.has(buffer))
    );
  }
}

/** How many kernels use each buffer, others than these included. */
function usersOf(kernels: readonly Kernel[], shared: Iterable<Buffer>): Map<Buffer, number> {
  const users = new Map<Buffer, number>();
  for (const kernel of kernels) for (const buffer of usesOf(kernel)) users.set(buffer, (users.get(buffer) ?? 0) + 1);
  for (const buffer of shared) users.set(buffer, Infinity);
  return users;
}

function usesOf(kernel: Kernel): Set<Buffer> {
  return new Set([...readsOf(kernel), ...writesOf(kernel)]);
}

/** Puts buffers of a slice in place of those that only the chain uses. */
function withOwnBuffers(chain: Chain, users: ReadonlyMap<Buffer, number>): Chain {
  const { slices, members } = chain;
  const inside = usersOf(
    members.map(({ kernel }) => kernel),
    [],
  );
  const own = new Map<Buffer, Buffer>();
  for (const [buffer, count] of inside) {
    if (buffer.source.kind === "temporary" && count === users.get(buffer))
      own.set(buffer, { ...buffer, length: buffer.length / slices });
  }
  const replaced = members.map(({ kernel, sliced, place }) => ({
    kernel: replaceBuffers(kernel, own),
    sliced: new Set([...sliced].filter((buffer) => !own.has(buffer))),
    place,
  }));
  return { ...chain, members: replaced, own: [...own.values()] };
}
