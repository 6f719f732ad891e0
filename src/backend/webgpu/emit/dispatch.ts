import type { Buffer } from "../../../compiler/program.ts";

/** One storage buffer of a kernel, in the order of the bindings. */
export interface Binding {
  readonly buffer: Buffer;
  readonly isWritten: boolean;
}

/** Small buffers that share one binding, where an adapter allows too few. */
export interface Pack {
  readonly buffer: Buffer;
  /** Where each starts, in words. */
  readonly offsets: ReadonlyMap<Buffer, number>;
}

/** One compute shader over a number of workgroups. */
export interface Dispatch {
  /** What it is to people, such as "map". */
  readonly name: string;
  readonly wgsl: string;
  readonly bindings: readonly Binding[];
  readonly pack?: Pack | undefined;
  /** The words of a uniform that is bound behind the buffers; none without one. */
  readonly sizes: readonly number[];
  readonly workgroups: number;
  /** How they are numbered. */
  readonly grid: Grid;
  /** Of one workgroup. */
  readonly invocations: number;
  /** Of a reduction: how often an invocation loads terms, one load after the other. */
  readonly serialSteps?: number | undefined;
}

/** Workgroups in each of a dispatch's dimensions. */
export type Grid = readonly [x: number, y: number, z: number];

/** Workgroups that one dimension of a dispatch takes; more go into a second one. */
export const MOST_PER_DIMENSION = 65535;

/** So many workgroups, or a few more, in two dimensions. */
export function gridOf(workgroups: number): Grid {
  return [Math.min(workgroups, MOST_PER_DIMENSION), Math.ceil(workgroups / MOST_PER_DIMENSION), 1];
}
