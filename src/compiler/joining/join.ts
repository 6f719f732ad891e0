import { readsOf, writesOf } from "../accesses.ts";
import type { Buffer, Kernel, Program } from "../program.ts";
import type { Joining } from "../target.ts";
import { candidateOf, jointKernel } from "./alike.ts";
import type { Candidate } from "./alike.ts";
import { Arenas } from "./arenas.ts";
import { KernelOrder } from "./kernel-order.ts";
import { Strands } from "./strands.ts";

/** A program before it is known what lies together. */
type Apart = Omit<Program, "arenas" | "alignment">;

/**
 * Kernels that do the same to other buffers, and do not depend on each other, become one: what an optimizer does to each
 * parameter, sums of biases' gradients, standardization of filters of one size. Their buffers then lie one after another.
 */
export function joinAlike(program: Apart, joining: Joining): Program {
  return new Joiner(program, joining).run();
}

class Joiner {
  readonly #program: Apart;
  readonly #joining: Joining;
  readonly #order: KernelOrder;
  readonly #arenas: Arenas;
  readonly #users = new Map<Buffer, Kernel[]>();
  readonly #numbers = new Map<Buffer, number>();
  /** What runs at one place and may be one kernel, if its buffers can lie together. */
  readonly #meetings: (readonly Candidate[])[] = [];
  readonly #met = new Set<Kernel>();
  /** In place of the kernel that others have joined. */
  readonly #joint = new Map<Kernel, Kernel>();
  readonly #joined = new Set<Kernel>();

  constructor(program: Apart, joining: Joining) {
    this.#program = program;
    this.#joining = joining;
    this.#order = new KernelOrder(program.kernels);
    this.#arenas = new Arenas(joining.alignment);
    for (const kernel of program.kernels) {
      for (const buffer of new Set([...readsOf(kernel), ...writesOf(kernel)])) {
        const users = this.#users.get(buffer);
        if (users) users.push(kernel);
        else this.#users.set(buffer, [kernel]);
      }
    }
  }

  run(): Program {
    const place = ({ kernel }: Candidate): number => this.#order.placeOf(kernel);
    const groups = this.#groups().toSorted((a, b) => place(b[b.length - 1]) - place(a[a.length - 1]));
    const stacks = groups.filter(([{ isLine }]) => !isLine);
    const lines = groups.filter(([{ isLine }]) => isLine);
    // What only the end of a program uses waits for it, and what the start could do is done there. Lines come last, since
    // theirs may lie in any order.
    for (const group of stacks) this.#meetEach(group.toReversed());
    for (const group of stacks.toReversed()) this.#meetEach(group);
    for (const group of lines) this.#meetEach(group.toReversed());
    for (const meeting of this.#inOneOrder(this.#meetings)) this.#joinEach(meeting);
    const kernels = this.#program.kernels
      .filter((kernel) => !this.#joined.has(kernel) || this.#joint.has(kernel))
      .toSorted((a, b) => this.#order.placeOf(a) - this.#order.placeOf(b))
      .map((kernel) => this.#joint.get(kernel) ?? kernel);
    return { ...this.#program, kernels, arenas: this.#arenas.all, alignment: this.#joining.alignment };
  }

  /** Candidates of one key, in their order. */
  #groups(): Candidate[][] {
    const groups = new Map<string, Candidate[]>();
    const fixed = fixedKernels(this.#program);
    for (const kernel of this.#program.kernels) {
      const candidate = this.#mayMove(kernel, fixed.has(kernel)) ? candidateOf(kernel) : undefined;
      if (!candidate) continue;
      // What is kept from run to run is computed apart.
      const shared = candidate.shared.map((buffer) => this.#numberOf(buffer)).join();
      const sorts = candidate.operands.map((buffer) => this.#sortOf(buffer)).join();
      const key = `${fixed.has(kernel) ? "fixed " : ""}${candidate.key} ${shared} ${sorts}`;
      const group = groups.get(key);
      if (group) group.push(candidate);
      else groups.set(key, [candidate]);
    }
    return [...groups.values()].filter((group) => group.length > 1);
  }

  /** Variables have memory that is not the program's. */
  #sortOf(buffer: Buffer): string {
    const { sortOf = () => "" } = this.#joining;
    return buffer.source.kind === "variable" ? `variable ${sortOf(buffer)}` : sortOf(buffer);
  }

  #numberOf(buffer: Buffer): number {
    const number = this.#numbers.get(buffer) ?? this.#numbers.size;
    this.#numbers.set(buffer, number);
    return number;
  }

  /** Not where it would take much memory: what a kernel reads or writes stays for longer if it runs later or earlier. */
  #mayMove(kernel: Kernel, isFixed: boolean): boolean {
    const { mostElements, mostFixedElements } = this.#joining;
    const writes = writesOf(kernel);
    if (writes.every(({ source }) => source.kind === "variable")) return true;
    const temporaries = [...writes, ...readsOf(kernel)].filter(({ source }) => source.kind === "temporary");
    return temporaries.reduce((sum, { length }) => sum + length, 0) <= (isFixed ? mostFixedElements : mostElements);
  }

  /** Has what can run where the first of a group does run there, then the first of those that are left. */
  #meetEach(group: readonly Candidate[]): void {
    let left = group.filter(({ kernel }) => !this.#met.has(kernel));
    while (left.length > 1) {
      const [first, ...others] = left;
      let members = [first, ...others.filter(({ kernel }) => this.#order.mayJoin(kernel, first.kernel))];
      while (members.length > 1) {
        const obstacles = this.#obstaclesAmong(members);
        if (obstacles.size === 0) break;
        members = members.filter((_, member) => !obstacles.has(member));
      }
      if (members.length > 1) {
        this.#meetings.push(members);
        for (const { kernel } of members) {
          this.#order.join(kernel, first.kernel);
          this.#met.add(kernel);
        }
      }
      left = others.filter(({ kernel }) => !this.#met.has(kernel));
    }
  }

  /**
   * Meetings whose members are in the same order wherever they use the same buffers, the smallest first: larger ones are put together of
   * those, which the other way round would have to lie in just their order. Lines may lie in any.
   */
  #inOneOrder(meetings: readonly (readonly Candidate[])[]): (readonly Candidate[])[] {
    const strands = new Strands();
    const first = new Map<Candidate, Buffer>();
    for (const meeting of meetings) {
      const operands = this.#ownOperands(meeting);
      meeting.forEach((candidate, member) => {
        strands.tie(operands.map((buffers) => buffers[member]));
        first.set(candidate, operands[0][member]);
      });
    }
    const placeOf = (candidate: Candidate): number => {
      const buffer = first.get(candidate);
      return buffer ? strands.placeOf(buffer) : -1;
    };
    const ordered = meetings.map((meeting) => meeting.toSorted((a, b) => placeOf(a) - placeOf(b)));
    const stacks = ordered.filter(([{ isLine }]) => !isLine).toSorted((a, b) => a.length - b.length);
    return [...stacks, ...ordered.filter(([{ isLine }]) => isLine)];
  }

  /** Has those of a meeting be one whose buffers can lie together beside what already does, then those that are left. */
  #joinEach(meeting: readonly Candidate[]): void {
    let left = meeting;
    while (left.length > 1) {
      const members = this.#inOrder(left);
      if (members.length > 1) this.#join(members);
      left = left.slice(1).filter(({ kernel }) => !this.#joined.has(kernel));
    }
  }

  /** As many of them as there are whose buffers can lie together, in an order in which they can. */
  #inOrder(candidates: readonly Candidate[]): readonly Candidate[] {
    let members = candidates;
    while (members.length > 1) {
      const obstacles = this.#obstaclesAmong(members);
      const found = obstacles.size > 0 ? { obstacles } : this.#arenas.order(this.#ownOperands(members));
      if ("order" in found) return found.order.map((member) => members[member]);
      members = members.filter((_, member) => !found.obstacles.has(member));
    }
    return members;
  }

  #join(members: readonly Candidate[]): void {
    const operands = operandsOf(members).map((buffers) =>
      isShared(buffers, members) ? buffers[0] : this.#arenas.place(buffers),
    );
    for (const { kernel } of members) this.#joined.add(kernel);
    this.#joint.set(members[0].kernel, jointKernel(members, operands, this.#joining.alignment));
  }

  /** For each operand that is not the same for all, the buffers of the members. */
  #ownOperands(members: readonly Candidate[]): Buffer[][] {
    return operandsOf(members).filter((buffers) => !isShared(buffers, members));
  }

  /**
   * Members whose buffers cannot lie beside those of the members before: devices hand inputs and results over in buffers of
   * their own, a GPU's kernel may not write to memory of which it reads another part, and a device may not take that much as one.
   */
  #obstaclesAmong(members: readonly Candidate[]): Set<number> {
    const obstacles = new Set<number>();
    for (const buffers of this.#ownOperands(members)) {
      const used = new Map<Kernel, Buffer>();
      let together = 0;
      buffers.forEach((buffer, member) => {
        const { alignment, mostTogether } = this.#joining;
        const length = Math.ceil(buffer.length / alignment) * alignment;
        const isMuch = together + length > mostTogether;
        const users = this.#users.get(buffer) ?? [];
        const meets = users.some((user) => {
          const other = used.get(user);
          return other !== undefined && [buffer, other].some((either) => writesOf(user).includes(either));
        });
        if (!this.#isMovable(buffer) || meets || isMuch || buffers.indexOf(buffer) < member) obstacles.add(member);
        else {
          together += length;
          for (const user of users) used.set(user, buffer);
        }
      });
    }
    return obstacles;
  }

  #isMovable(buffer: Buffer): boolean {
    const { source } = buffer;
    if (source.kind === "variable") return !source.variable.isExchanged;
    return source.kind === "temporary" && !this.#program.outputs.includes(buffer);
  }
}

/** For each of their operands the buffers of the members. */
function operandsOf(members: readonly Candidate[]): Buffer[][] {
  return members[0].operands.map((_, i) => members.map(({ operands }) => operands[i]));
}

/** Whether each member reads the same buffer from its start. What goes through elements one by one goes on to the next part. */
function isShared(buffers: readonly Buffer[], [{ isLine }]: readonly Candidate[]): boolean {
  return !isLine && buffers.every((buffer) => buffer === buffers[0]);
}

/** Kernels whose results depend on nothing but constants and variables that the program only reads. */
function fixedKernels({ kernels, buffers }: Apart): Set<Kernel> {
  const written = new Set(kernels.flatMap(writesOf));
  const isGiven = ({ source: { kind } }: Buffer): boolean => kind === "literal" || kind === "variable";
  const fixed = new Set(buffers.filter((buffer) => isGiven(buffer) && !written.has(buffer)));
  return new Set(
    kernels.filter((kernel) => {
      const writes = writesOf(kernel);
      const isFixed = [...readsOf(kernel)].every((buffer) => fixed.has(buffer) || writes.includes(buffer));
      if (isFixed) for (const buffer of writes) fixed.add(buffer);
      return isFixed;
    }),
  );
}
