import { placesIn } from "../program.ts";
import type { Buffer } from "../program.ts";

const LANES = 4;

/** Which buffers lie one after another. */
export class Arenas {
  readonly #alignment: number;
  readonly #arenaOf = new Map<Buffer, readonly Buffer[]>();
  readonly #stretches = new Map<string, Buffer>();
  readonly #numbers = new Map<Buffer, number>();

  constructor(alignment: number) {
    this.#alignment = alignment;
  }

  get all(): readonly (readonly Buffer[])[] {
    return [...new Set(this.#arenaOf.values())];
  }

  /**
   * An order of the members of a joint kernel in which each operand's buffers may lie one after another beside what already does; without it,
   * members that stand in the way.
   *
   * @param wanted the members' buffers for each operand
   */
  order(
    wanted: readonly (readonly Buffer[])[],
  ): { readonly order: readonly number[] } | { readonly obstacles: ReadonlySet<number> } {
    // Runs of members whose order among themselves is known.
    let runs = wanted[0].map((_, member) => [member]);
    for (const buffers of wanted) {
      const memberOf = new Map(buffers.map((buffer, member) => [buffer, member]));
      const arenas = new Set(buffers.map((buffer) => this.#arenaOf.get(buffer)));
      for (const arena of arenas) {
        if (!arena) continue;
        const places = arena.flatMap((part, place) => (memberOf.has(part) ? [place] : []));
        const members = places.flatMap((place) => memberOf.get(arena[place]) ?? []);
        const isConnected = places[places.length - 1] - places[0] + 1 === places.length;
        // A part of one arena will do; with others only whole arenas can lie.
        const fits = isConnected && (arenas.size === 1 || places.length === arena.length);
        const fixed = fits ? fix(runs, members) : undefined;
        if (!fixed) return { obstacles: new Set(members) };
        runs = fixed;
      }
    }
    return { order: runs.flat() };
  }

  /** Has one operand's buffers lie in the order of {@link order}; the stretch that they are. */
  place(buffers: readonly Buffer[]): Buffer {
    const arenas = new Set(buffers.map((buffer) => this.#arenaOf.get(buffer)));
    if (arenas.size > 1 || arenas.has(undefined)) for (const buffer of buffers) this.#arenaOf.set(buffer, buffers);
    return this.#stretchOf(buffers);
  }

  #stretchOf(parts: readonly Buffer[]): Buffer {
    const key = parts.map((part) => this.#numberOf(part)).join();
    const known = this.#stretches.get(key);
    if (known) return known;
    const { length } = placesIn(parts, this.#alignment);
    const stretch: Buffer = {
      id: -1 - this.#stretches.size,
      dtype: parts[0].dtype,
      // Whole vectors, which memory has room for.
      length: Math.ceil(length / LANES) * LANES,
      source: { kind: "stretch", parts },
    };
    this.#stretches.set(key, stretch);
    return stretch;
  }

  #numberOf(buffer: Buffer): number {
    const number = this.#numbers.get(buffer) ?? this.#numbers.size;
    this.#numbers.set(buffer, number);
    return number;
  }
}

/** The runs, with one that has these members next to each other in this order, if that can be. */
function fix(runs: readonly number[][], members: readonly number[]): number[][] | undefined {
  const wanted = new Set(members);
  const touched = runs.filter((run) => run.some((member) => wanted.has(member)));
  if (touched.length === 1) return isRun(members, touched[0]) ? [...runs] : undefined;
  if (!touched.every((run) => isRun(run, members))) return undefined;
  const [first] = touched;
  return runs.flatMap((run) => (run === first ? [[...members]] : touched.includes(run) ? [] : [run]));
}

/** Whether a list stands within another without a gap. */
function isRun(part: readonly number[], whole: readonly number[]): boolean {
  const start = whole.indexOf(part[0]);
  return start !== -1 && part.every((member, i) => whole[start + i] === member);
}
