import type { Code } from "./writer.ts";
import { get, i32 } from "./writer.ts";

/** Tiles of at most so many rows for each width in vectors of four columns, by what registers hold. */
export interface TilePlan {
  readonly rows: number;
  readonly vectors: number;
}

/** Columns of a product, cut into panels that one tile covers. */
export interface Panel {
  readonly column: number;
  readonly tile: TilePlan;
}

/**
 * With pairs of vectors merged to 256 bits (see revectorize.ts), measured GFLOP/s per thread on a Zen 4 core
 * that peaks at 115: 4x4 107, 3x6 107, 2x8 106, 6x2 80. Without, peaking at 58: 2x4 and 4x2 57, wider 28.
 */
const WIDE_ROWS: Readonly<Record<number, number>> = { 4: 4, 6: 3, 2: 6 };
const NARROW_ROWS: Readonly<Record<number, number>> = { 4: 2, 2: 4, 1: 6, 3: 2 };

/** Cuts `columns` into panels. The last may be wider than what is left: it computes columns that nobody reads. */
export function planPanels(columns: number, wide: boolean): Panel[] {
  const step = wide ? 2 : 1;
  let vectors = Math.ceil(columns / (4 * step)) * step;
  const panels: Panel[] = [];
  let column = 0;
  while (vectors > 0) {
    const width = wide && vectors === 6 ? 6 : Math.min(4, vectors);
    panels.push({ column, tile: { rows: (wide ? WIDE_ROWS : NARROW_ROWS)[width], vectors: width } });
    column += 4 * width;
    vectors -= width;
  }
  return panels;
}

/** Columns that all panels together write, a multiple of 4. */
export function paddedColumns(panels: readonly Panel[]): number {
  const last = panels[panels.length - 1];
  return last.column + 4 * last.tile.vectors;
}

export function microName(rows: number, vectors: number, accumulates: boolean): string {
  return `$micro_${rows}x${vectors}${accumulates ? "_add" : ""}`;
}

/** What a call of a micro-kernel takes, all in bytes or counts of at least 1. */
export interface MicroCall {
  /** The address of each row's first left factor. */
  readonly rows: readonly Code[];
  /** Tiles one below the other, and how far each row's left factors are from those of the tile before. */
  readonly tiles: Code;
  readonly tileStep: Code;
  /** From one left factor of a row to the next. */
  readonly lhsStep: Code;
  readonly rhs: Code;
  /** From one row of right factors to the next. */
  readonly rhsStep: Code;
  /** Steps of a segment. */
  readonly count: Code;
  readonly segments: Code;
  /** Added to each row's address after a segment, beyond its steps. */
  readonly lhsJump: Code;
  readonly out: Code;
  /** From one row of results to the next; tiles follow each other without a gap. */
  readonly outStep: Code;
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

export function callMicro(tile: TilePlan, accumulates: boolean, call: MicroCall): Code {
  const args = [...call.rows, ...PARAMETERS.map((name) => call[name])];
  return `(call ${microName(call.rows.length, tile.vectors, accumulates)} ${args.join(" ")})`;
}

/**
 * out[r][c] (+)= sum over k of lhs[r][k] * rhs[k][c], for tiles whose results stay in registers. The sum runs
 * in segments, so that a convolution's window is one call. Each left factor is splatted right before its
 * multiply-adds, and neighbouring vectors are loaded and stored from one address, so that V8 can merge pairs.
 */
export function microKernel(
  rows: number,
  vectors: number,
  { accumulates, relaxed }: { readonly accumulates: boolean; readonly relaxed: boolean },
): Code {
  const r = Array.from({ length: rows }, (_, i) => i);
  const n = Array.from({ length: vectors }, (_, i) => i);
  const lines = (codes: readonly Code[]): Code => codes.join("\n");
  const each = (text: (row: number, vector: number) => Code): Code => lines(r.flatMap((i) => n.map((j) => text(i, j))));
  const eachRow = (text: (row: number) => Code): Code => lines(r.map(text));
  const increase = (local: string, by: Code): Code => `(local.set ${local} (i32.add ${get(local)} ${by}))`;
  const countDown = (local: string): Code => `(local.tee ${local} (i32.sub ${get(local)} ${i32(1)}))`;
  // The address of each row of results is a local of its own: the merging looks for equal addresses.
  const outRow = (i: number): Code =>
    `(local.set $o${i} ${i === 0 ? get("$out") : `(i32.add ${get(`$o${i - 1}`)} ${get("$outStep")})`})`;
  const start = (i: number, j: number): Code =>
    accumulates ? `(v128.load offset=${16 * j} ${get(`$o${i}`)})` : "(v128.const i32x4 0 0 0 0)";
  const products = (i: number): Code => {
    const madds = n.map(
      (j) => `(local.set $c${i}_${j} ${multiplyAdd(get("$x"), get(`$w${j}`), get(`$c${i}_${j}`), relaxed)})`,
    );
    return lines([`(local.set $x (v128.load32_splat ${get(`$p${i}`)}))`, ...madds]);
  };
  const parameters = [...r.map((i) => `$a${i}`), ...PARAMETERS.map((name) => `$${name}`)];
  return `(func ${microName(rows, vectors, accumulates)} ${parameters.map((name) => `(param ${name} i32)`).join(" ")}
(local $k i32) (local $s i32) (local $b i32) (local $x v128)
${eachRow((i) => `(local $o${i} i32) (local $p${i} i32)`)} ${lines(n.map((j) => `(local $w${j} v128)`))}
${each((i, j) => `(local $c${i}_${j} v128)`)}
(loop $tile
${eachRow(outRow)}
${each((i, j) => `(local.set $c${i}_${j} ${start(i, j)})`)}
${eachRow((i) => `(local.set $p${i} ${get(`$a${i}`)})`)}
(local.set $b ${get("$rhs")})
(local.set $s ${get("$segments")})
(loop $segment
(local.set $k ${get("$count")})
(loop $inner
${lines(n.map((j) => `(local.set $w${j} (v128.load offset=${16 * j} ${get("$b")}))`))}
${eachRow(products)}
${eachRow((i) => increase(`$p${i}`, get("$lhsStep")))}
${increase("$b", get("$rhsStep"))}
(br_if $inner ${countDown("$k")}))
${eachRow((i) => increase(`$p${i}`, get("$lhsJump")))}
(br_if $segment ${countDown("$s")}))
${each((i, j) => `(v128.store offset=${16 * j} ${get(`$o${i}`)} ${get(`$c${i}_${j}`)})`)}
${eachRow((i) => increase(`$a${i}`, get("$tileStep")))}
(local.set $out (i32.add ${get(`$o${rows - 1}`)} ${get("$outStep")}))
(br_if $tile ${countDown("$tiles")}))
)`;
}

function multiplyAdd(a: Code, b: Code, c: Code, relaxed: boolean): Code {
  return relaxed ? `(f32x4.relaxed_madd ${a} ${b} ${c})` : `(f32x4.add (f32x4.mul ${a} ${b}) ${c})`;
}
