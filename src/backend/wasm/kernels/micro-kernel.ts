import { range } from "../../../tensor/shape.ts";
import { br_if, call, local } from "../assembly/control-instructions.ts";
import { FunctionBuilder } from "../assembly/function-builder.ts";
import type { FunctionDefinition } from "../assembly/function-builder.ts";
import type { Instruction, Integer, Local, Operand, Value } from "../assembly/instruction.ts";
import { i32 } from "../assembly/scalar-instructions.ts";
import { f32x4, v128 } from "../assembly/vector-instructions.ts";

/** Which micro-kernel: how many rows and vectors of results it holds in registers. */
export interface MicroKernelShape {
  readonly rows: number;
  readonly vectors: number;
  /** Whether it adds to results that are there. */
  readonly accumulates: boolean;
}

/** What a call of a micro-kernel takes, all in bytes or counts of at least 1. */
export interface MicroKernelCall {
  /** The address of each row's first left factor. */
  readonly rows: readonly Integer[];
  /** Tiles one below the other, and how far each row's left factors are from those of the tile before. */
  readonly tiles: Integer;
  readonly tileStep: Integer;
  /** From one left factor of a row to the next. */
  readonly lhsStep: Integer;
  readonly rhs: Integer;
  /** From one row of right factors to the next. */
  readonly rhsStep: Integer;
  /** Steps of a segment. */
  readonly count: Integer;
  readonly segments: Integer;
  /** Added to each row's address after a segment, beyond its steps. */
  readonly lhsJump: Integer;
  readonly out: Integer;
  /** From one row of results to the next; tiles follow each other without a gap. */
  readonly outStep: Integer;
}

const PARAMETERS = [
  "tiles",
  "tileStep",
  "lhsStep",
  "rhs",
  "rhsStep",
  "count",
  "segments",
  "lhsJump",
  "out",
  "outStep",
] as const;

export type MicroKernel = FunctionDefinition<undefined>;

export function callMicroKernel(microKernel: MicroKernel, operands: MicroKernelCall): Instruction<undefined> {
  return call(microKernel, ...operands.rows, ...PARAMETERS.map((name) => operands[name]));
}

/** The micro-kernels that a module's kernels call, each emitted once. */
export class MicroKernels {
  /** Whether the engine multiplies and adds in one instruction. */
  readonly relaxed: boolean;
  readonly #known = new Map<string, MicroKernel>();

  constructor(relaxed: boolean) {
    this.relaxed = relaxed;
  }

  of(shape: MicroKernelShape): MicroKernel {
    const name = nameOf(shape);
    const known = this.#known.get(name) ?? emitMicroKernel(shape, this.relaxed);
    this.#known.set(name, known);
    return known;
  }
}

function nameOf({ rows, vectors, accumulates }: MicroKernelShape): string {
  return `micro_${rows}x${vectors}${accumulates ? "_add" : ""}`;
}

/**
 * out[r][c] (+)= sum over k of lhs[r][k] * rhs[k][c], for tiles whose results stay in registers. The sum runs
 * in segments, so that a convolution's window is one call. Each left factor is splatted right before its
 * multiply-adds, and neighbouring vectors are loaded and stored from one address, so that V8 can merge pairs.
 */
export function emitMicroKernel(shape: MicroKernelShape, relaxed: boolean): MicroKernel {
  const code = new FunctionBuilder();
  const rows = range(shape.rows);
  const vectors = range(shape.vectors);
  const firstFactors = rows.map((r) => code.parameter(`row${r}`, "i32"));
  const parameters = PARAMETERS.map((name) => code.parameter(name, "i32"));
  const [tiles, tileStep, lhsStep, rhs, rhsStep, count, segments, lhsJump, out, outStep] = parameters;
  const [stepsLeft, segmentsLeft, rhsRow] = [code.local("i32"), code.local("i32"), code.local("i32")];
  const left = code.local("v128");
  // The address of each row of results is a local of its own: the merging looks for equal addresses.
  const [outRows, factors]: [Local<"i32">[], Local<"i32">[]] = [[], []];
  for (const r of rows) [outRows[r], factors[r]] = [code.local("i32"), code.local("i32")];
  const right = vectors.map(() => code.local("v128"));
  const sums = rows.map(() => vectors.map(() => code.local("v128")));
  const sumsDo = (action: (sum: Local<"v128">, outRow: Local<"i32">, offset: number) => void): void =>
    sums.forEach((row, r) => row.forEach((sum, v) => action(sum, outRows[r], 16 * v)));
  const moveAll = (addresses: readonly Local<"i32">[], by: Integer): void =>
    addresses.forEach((address) => code.increase(address, by));

  code.loop((nextTile) => {
    outRows.forEach((row, r) => code.set(row, r === 0 ? out : i32.add(outRows[r - 1], outStep)));
    sumsDo((sum, outRow, offset) => {
      code.set(sum, shape.accumulates ? v128.load(outRow, offset) : v128.const("i32x4", [0, 0, 0, 0]));
    });
    factors.forEach((factor, r) => code.set(factor, firstFactors[r]));
    code.set(rhsRow, rhs);
    code.set(segmentsLeft, segments);
    code.loop((nextSegment) => {
      code.set(stepsLeft, count);
      code.loop((nextStep) => {
        right.forEach((vector, v) => code.set(vector, v128.load(rhsRow, 16 * v)));
        sums.forEach((row, r) => {
          code.set(left, v128.load32_splat(factors[r]));
          row.forEach((sum, v) => code.set(sum, multiplyAdd(left, right[v], sum, relaxed)));
        });
        moveAll(factors, lhsStep);
        code.increase(rhsRow, rhsStep);
        code.emit(br_if(nextStep, countDown(stepsLeft)));
      });
      moveAll(factors, lhsJump);
      code.emit(br_if(nextSegment, countDown(segmentsLeft)));
    });
    sumsDo((sum, outRow, offset) => code.emit(v128.store(outRow, sum, offset)));
    moveAll(firstFactors, tileStep);
    code.set(out, i32.add(outRows[shape.rows - 1], outStep));
    code.emit(br_if(nextTile, countDown(tiles)));
  });
  return code.finish(nameOf(shape));
}

/** One less; the result tells whether any are left. */
function countDown(counter: Local<"i32">): Value<"i32"> {
  return local.tee(counter, i32.sub(counter, 1));
}

type Vector = Operand<"v128">;

export function multiplyAdd(a: Vector, b: Vector, sum: Vector, relaxed: boolean): Value<"v128"> {
  return relaxed ? f32x4.relaxed_madd(a, b, sum) : f32x4.add(f32x4.mul(a, b), sum);
}
