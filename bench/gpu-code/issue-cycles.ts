/** A run of instructions that is entered at its beginning alone. */
interface Block {
  readonly name: string;
  readonly instructions: string[];
}

/** What an invocation's loop over tiles spends on a tile. */
export interface TileCost {
  readonly multiplyAdds: number;
  /** Cycles in which its vector unit is given an instruction; other units work beside it. */
  readonly issueCycles: number;
}

/** Vector instructions that take four cycles on RDNA 2: products of 32-bit integers, and functions. */
const QUARTER_RATE = /^v_(mul_(lo|hi)_|mad_[iu]64_|exp_|log_|rcp_|rsq_|sqrt_|sin_|cos_)/;
const MULTIPLY_ADD = /^v_(dual_|pk_)?(fma|fmac|mac|mad|fmaak|fmamk)(_mix|_legacy)?_f32/;

/**
 * Counts the loop of a tiled product in Mesa's disassembly (ACO, RDNA): the loop that encloses the one with most
 * multiply-adds, which may be unrolled.
 *
 * @param multiplyAdds what an invocation has to do of them for a tile
 * @throws Error if the disassembly is not of such a loop
 */
export function tileCost(disassembly: string, multiplyAdds: number): TileCost {
  const blocks = blocksOf(disassembly);
  const loops = loopsOf(blocks);
  const counts = blocks.map(({ instructions }) => instructions.filter((each) => MULTIPLY_ADD.test(each)).length);
  const busiest = counts.indexOf(Math.max(...counts, 0));
  const around = [...loops]
    .filter(([first, last]) => first <= busiest && busiest <= last)
    .toSorted(([a, b], [c, d]) => b - a - (d - c));
  if (around.length === 0) throw new Error("the disassembly has no loop of multiply-adds");
  const cyclesOf = ([first, last]: readonly [number, number]): number =>
    blocks.slice(first, last + 1).reduce((total, { instructions }) => total + issueCyclesOf(instructions), 0);
  const [inner, outer] = around;
  const perPass = counts.slice(inner[0], inner[1] + 1).reduce((a, b) => a + b);
  const passes = multiplyAdds / perPass;
  if (!Number.isInteger(passes) || (passes > 1 && !outer))
    throw new Error(`a tile takes ${multiplyAdds} multiply-adds, and the loop has ${perPass}`);
  const innerCycles = cyclesOf(inner);
  if (!outer) return { multiplyAdds, issueCycles: innerCycles };
  return { multiplyAdds, issueCycles: cyclesOf(outer) + (passes - 1) * innerCycles };
}

function blocksOf(disassembly: string): Block[] {
  const start = disassembly.indexOf("disasm:");
  if (start === -1) throw new Error("the driver printed no disassembly");
  const blocks: Block[] = [];
  for (const line of disassembly.slice(start).split("\n").slice(1)) {
    const label = /^(BB\d+):/.exec(line)?.[1];
    if (label !== undefined) blocks.push({ name: label, instructions: [] });
    else if (/^\s+[a-z]+_/.test(line)) blocks.at(-1)?.instructions.push(line.trim());
    else if (blocks.length > 0 && line.trim() !== "") break;
  }
  return blocks;
}

/** First and last block of each loop: where it branches back from, and to. */
function loopsOf(blocks: readonly Block[]): Map<number, number> {
  const places = new Map(blocks.map(({ name }, i) => [name, i]));
  const loops = new Map<number, number>();
  blocks.forEach(({ instructions }, i) => {
    for (const each of instructions) {
      const target = places.get(/^s_c?branch\S* (BB\d+)/.exec(each)?.[1] ?? "");
      if (target !== undefined && target <= i) loops.set(target, Math.max(i, loops.get(target) ?? i));
    }
  });
  return loops;
}

function issueCyclesOf(instructions: readonly string[]): number {
  return instructions
    .filter((each) => each.startsWith("v_"))
    .reduce((total, each) => total + (QUARTER_RATE.test(each) ? 4 : 1), 0);
}
