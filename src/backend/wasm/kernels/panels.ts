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
