import type { Code } from "../emit/writer.ts";
import { get, i32 } from "../emit/writer.ts";

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

/** A tile for each width in vectors, and how well it uses the machine, from 0 to 1. */
type TileTable = readonly (TilePlan & { readonly efficiency: number })[];

/**
 * With pairs of vectors merged to 256 bits (see self-check.ts), one thread of a Zen 4 core did 107 GFLOP/s of 115 with
 * tiles of 4x4, 3x6 and 2x8, 80 with 6x2, in a loop of its own; without, 57 of 58 with 2x4 and 4x2 and half of that with
 * wider ones. In the convolutions of the article's model, 3x6 came out ahead; in filter gradients 2x8.
 */
const WIDE_TILES: TileTable = [
  { vectors: 8, rows: 2, efficiency: 0.95 },
  { vectors: 6, rows: 3, efficiency: 1 },
  { vectors: 4, rows: 4, efficiency: 0.95 },
  { vectors: 2, rows: 6, efficiency: 0.75 },
];
const WIDE_FILTER_TILES: TileTable = [
  { vectors: 8, rows: 2, efficiency: 1 },
  { vectors: 6, rows: 3, efficiency: 0.95 },
  { vectors: 4, rows: 4, efficiency: 0.9 },
  { vectors: 2, rows: 6, efficiency: 0.7 },
];
const NARROW_TILES: TileTable = [
  { vectors: 4, rows: 2, efficiency: 1 },
  { vectors: 2, rows: 4, efficiency: 1 },
  { vectors: 1, rows: 6, efficiency: 0.6 },
];

/** What the columns of a product are: of a matrix product or convolution, or of a filter's gradient. */
export type PanelUse = "product" | "filter";

/** Cuts `columns` into panels. The last may be wider than what is left: it computes columns that nobody reads. */
export function planPanels(columns: number, wide: boolean, use: PanelUse = "product"): Panel[] {
  const table = wide ? (use === "filter" ? WIDE_FILTER_TILES : WIDE_TILES) : NARROW_TILES;
  const step = wide ? 2 : 1;
  const tiles = cheapestTiles(Math.ceil(columns / (4 * step)) * step, table);
  let column = 0;
  return tiles.map((tile) => {
    const panel = { column, tile };
    column += 4 * tile.vectors;
    return panel;
  });
}

/** Tiles that cover a number of vectors exactly, in the least time; of equals, the fewest. */
function cheapestTiles(vectors: number, table: TileTable): TilePlan[] {
  const best: { readonly cost: number; readonly tiles: readonly TilePlan[] }[] = [{ cost: 0, tiles: [] }];
  for (let n = 1; n <= vectors; n++) {
    for (const { efficiency, ...tile } of table) {
      const before = best[n - tile.vectors] as (typeof best)[number] | undefined;
      if (!before) continue;
      const cost = before.cost + tile.vectors / efficiency + PANEL_COST;
      if (!best[n] || cost < best[n].cost) best[n] = { cost, tiles: [tile, ...before.tiles] };
    }
  }
  return best[vectors].tiles.toSorted((a, b) => b.vectors - a.vectors);
}

/** Of starting a panel, in vectors. */
const PANEL_COST = 0.01;

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
