import { describe, expect, test } from "vitest";
import { paddedColumns, planPanels } from "./panels.ts";

describe("panels", () => {
  test.for([1, 3, 4, 7, 28, 56, 84, 112, 168, 384])("cover %i columns without a gap, and little more", (columns) => {
    for (const wide of [true, false]) {
      const panels = planPanels(columns, wide);
      let next = 0;
      for (const { column, tile } of panels) {
        expect(column).toBe(next);
        next += 4 * tile.vectors;
      }
      expect(paddedColumns(panels)).toBe(next);
      expect(next).toBeGreaterThanOrEqual(columns);
      expect(next - columns).toBeLessThan(wide ? 8 : 4);
    }
  });

  test("of 256 bits pair their vectors", () => {
    for (const { tile } of planPanels(28, true)) expect(tile.vectors % 2).toBe(0);
  });
});
