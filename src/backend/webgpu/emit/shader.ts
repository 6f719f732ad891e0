import type { Buffer } from "../../../compiler/program.ts";
import type { DType } from "../../../tensor/dtype.ts";
import type { Precision } from "../../common/precision.ts";
import type { AdapterTraits } from "./adapter.ts";
import { MOST_PER_DIMENSION, gridOf } from "./dispatch.ts";
import type { Dispatch, Grid, Pack } from "./dispatch.ts";
import { functionText } from "./functions.ts";
import type { FunctionName } from "./functions.ts";
import type { Sizes } from "./sizes.ts";
import type { Storage } from "./storage.ts";

/** A WGSL expression. */
export type Code = string;

/** What a kernel works with: the words that buffers hold. A bool is a word of 0 or 1. */
export const WORD_TYPES: { readonly [K in DType]: string } = { f32: "f32", i32: "i32", u32: "u32", bool: "u32" };

export interface ShaderBuffers {
  readonly writes: ReadonlySet<Buffer>;
  readonly pack?: Pack | undefined;
  readonly storage: Storage;
  readonly adapter: AdapterTraits;
}

/** Collects the text of one compute shader, with the buffers that it turns out to use. */
export class ShaderWriter {
  readonly #writes: ReadonlySet<Buffer>;
  readonly #pack: Pack | undefined;
  readonly #storage: Storage;
  readonly #bindings: Buffer[] = [];
  readonly #vectors = new Set<Buffer>();
  readonly #sizes: Sizes | undefined;
  readonly #shared: string[] = [];
  readonly #library = new Set<FunctionName>();
  readonly #functions: string[] = [];
  readonly #directives = new Set<string>();
  #lines: string[] = [];
  #depth = 1;
  #names = 0;

  /**
   * @param vectors buffers that are read and written four words at a time; those that share a binding cannot be
   * @param sizes where the kernel's sizes stand: in its text, or in a uniform, so that kernels of one text share a pipeline
   */
  constructor({ writes, pack, storage }: ShaderBuffers, vectors: Iterable<Buffer> = [], sizes?: Sizes) {
    this.#sizes = sizes;
    this.#writes = writes;
    this.#pack = pack;
    this.#storage = storage;
    for (const buffer of vectors) if (!pack?.offsets.has(buffer)) this.#vectors.add(buffer);
  }

  /** What products are computed in. */
  get precision(): Precision {
    return this.#storage.precision;
  }

  /** Whether sizes are not known when the shader is compiled. */
  get hasOpenSizes(): boolean {
    return this.#sizes !== undefined;
  }

  /** A whole number that follows from the kernel's sizes. */
  size(value: number): Code {
    return value === 0 || value === 1 || !this.#sizes ? String(value) : this.#sizes.whole(value);
  }

  /** The same where 0 and 1 are no reason for another text. */
  anySize(value: number): Code {
    return this.#sizes ? this.#sizes.whole(value) : String(value);
  }

  /** A number as f32, which may follow from sizes too: a mean's divisor. */
  number(value: number): Code {
    return this.#sizes ? this.#sizes.float(value) : `${Math.fround(value)}f`;
  }

  line(code: Code): void {
    this.#lines.push("  ".repeat(this.#depth) + code);
  }

  /** A line that opens a block, what stands in it, and its end. */
  block(head: Code, body: () => void): void {
    this.line(`${head} {`);
    this.indented(body);
    this.line("}");
  }

  indented(body: () => void): void {
    this.#depth++;
    body();
    this.#depth--;
  }

  name(prefix: string): string {
    return `${prefix}${this.#names++}`;
  }

  /** A fresh name for a value. */
  bind(prefix: string, value: Code): Code {
    const name = this.name(prefix);
    this.line(`let ${name} = ${value};`);
    return name;
  }

  /** A line that stands before all others, once, such as what enables an extension. */
  directive(line: Code): void {
    this.#directives.add(line);
  }

  /** Notes that a function of the library is called; its name. */
  use(name: FunctionName): string {
    this.#library.add(name);
    return name;
  }

  /** The value that the invocation has whose number differs by these bits, one of the same subgroup. */
  exchange(value: Code, bits: number): Code {
    this.directive("enable subgroups;");
    return `subgroupShuffleXor(${value}, ${bits}u)`;
  }

  /** A function of this shader's own. */
  function(signature: Code, body: () => void): void {
    const [outer, depth] = [this.#lines, this.#depth];
    [this.#lines, this.#depth] = [[], 1];
    body();
    this.#functions.push(`fn ${signature} {\n${this.#lines.join("\n")}\n}`);
    [this.#lines, this.#depth] = [outer, depth];
  }

  /** An array that the invocations of a workgroup share. */
  shared(name: string, type: string, length: number): void {
    this.#shared.push(`var<workgroup> ${name}: array<${type}, ${length}>;`);
  }

  /** Whether a buffer is an array of vectors of four. */
  isVector(buffer: Buffer): boolean {
    return this.#vectors.has(buffer);
  }

  /** The element at an index, bools as bools. */
  load(buffer: Buffer, index: Code): Code {
    const word = this.#word(buffer, index);
    return buffer.dtype === "bool" ? `(${word} != 0u)` : word;
  }

  /** Four elements from an index on, which is a multiple of four. */
  loadVector(buffer: Buffer, index: Code): Code {
    if (!this.isVector(buffer)) {
      const [at, lanes] = [this.bind("at", index), [0, 1, 2, 3]];
      return `vec4(${lanes.map((lane) => this.load(buffer, `${at} + ${lane}`)).join(", ")})`;
    }
    const words = `${this.#nameOf(buffer)}[${quarter(index)}]`;
    if (this.#storage.isHalf(buffer)) return this.fromHalves(words);
    return buffer.dtype === "bool" ? `(${words} != vec4<u32>())` : words;
  }

  /** The same as halves in two words, from a buffer that holds them so. */
  loadHalves(buffer: Buffer, index: Code): Code | undefined {
    if (!this.isVector(buffer) || !this.#storage.isHalf(buffer)) return undefined;
    return `${this.#nameOf(buffer)}[${quarter(index)}]`;
  }

  store(buffer: Buffer, index: Code, value: Code): void {
    const word = buffer.dtype === "bool" ? `select(0u, 1u, ${value})` : value;
    this.line(`${this.#nameOf(buffer)}[${index}] = ${word};`);
  }

  storeVector(buffer: Buffer, index: Code, value: Code): void {
    const words = this.#storage.isHalf(buffer)
      ? this.toHalves(value)
      : buffer.dtype === "bool"
        ? `select(vec4<u32>(), vec4<u32>(1u), ${value})`
        : value;
    this.line(`${this.#nameOf(buffer)}[${quarter(index)}] = ${words};`);
  }

  /** Four numbers as the halves of two words; what is too large for a half becomes infinite. */
  toHalves(four: Code): Code {
    return `${this.use("to_halves")}(${four})`;
  }

  fromHalves(words: Code): Code {
    return `${this.use("from_halves")}(${words})`;
  }

  /**
   * @param workgroups how many, of which each has its number in `group`; or a grid, in which each has its place in `id`
   * @param subgroupSize the size of subgroups, where the kernel has one set for it
   */
  finish(name: string, size: number, workgroups: number | Grid, subgroupSize?: number): Dispatch {
    if (subgroupSize !== undefined) {
      this.directive("enable subgroups;");
      this.directive("enable subgroup_size_control;");
    }
    const pinned = subgroupSize === undefined ? "" : ` @subgroup_size(${subgroupSize})`;
    const declarations = this.#bindings.map((buffer, i) => {
      const access = this.#writes.has(buffer) ? "read_write" : "read";
      return `@group(0) @binding(${i}) var<storage, ${access}> ${this.#nameOf(buffer)}: array<${this.#elementOf(buffer)}>;`;
    });
    const group = typeof workgroups === "number" ? this.#group(workgroups) : "";
    const main = `@compute @workgroup_size(${size})${pinned}
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) invocation: u32) {
${group}  let local = i32(invocation);
${this.#lines.join("\n")}
}`;
    const wgsl = [
      ...this.#directives,
      ...declarations,
      this.#sizes?.declaration(this.#bindings.length) ?? "",
      ...this.#shared,
      functionText(this.#library),
      ...this.#functions,
      main,
    ];
    return {
      name,
      wgsl: wgsl.filter((part) => part !== "").join("\n"),
      bindings: this.#bindings.map((buffer) => ({ buffer, isWritten: this.#writes.has(buffer) })),
      pack: this.#pack && this.#bindings.includes(this.#pack.buffer) ? this.#pack : undefined,
      sizes: this.#sizes?.words() ?? [],
      workgroups: typeof workgroups === "number" ? workgroups : workgroups[0] * workgroups[1] * workgroups[2],
      grid: typeof workgroups === "number" ? gridOf(workgroups) : workgroups,
      invocations: size,
    };
  }

  /** Beyond what one dimension takes, workgroups are numbered through two, and there are a few more than have work. */
  #group(workgroups: number): Code {
    if (workgroups <= MOST_PER_DIMENSION) return "  let group = i32(id.x);\n";
    return `  let group = i32(id.x + id.y * ${MOST_PER_DIMENSION}u);
  if (group >= ${this.size(workgroups)}) { return; }
`;
  }

  #word(buffer: Buffer, index: Code): Code {
    const offset = this.#pack?.offsets.get(buffer);
    if (offset === undefined || !this.#pack) {
      const name = this.#nameOf(buffer);
      if (this.#storage.isHalf(buffer)) return halfAt(index, (at) => `${name}[${at} / 4][${at} / 2 % 2]`);
      return this.#vectors.has(buffer) ? `${name}[(${index}) / 4][(${index}) % 4]` : `${name}[${index}]`;
    }
    const words = this.#nameOf(this.#pack.buffer);
    const start = this.size(offset);
    if (this.#storage.isHalf(buffer)) return halfAt(index, (at) => `${words}[${start} + ${at} / 2]`);
    const word = `${words}[${start} + ${index}]`;
    const type = WORD_TYPES[buffer.dtype];
    return type === "u32" ? word : `bitcast<${type}>(${word})`;
  }

  #elementOf(buffer: Buffer): string {
    if (this.#storage.isHalf(buffer)) return "vec2<u32>";
    const word = WORD_TYPES[buffer.dtype];
    return this.#vectors.has(buffer) ? `vec4<${word}>` : word;
  }

  #nameOf(buffer: Buffer): string {
    const known = this.#bindings.indexOf(buffer);
    return `buffer${known === -1 ? this.#bindings.push(buffer) - 1 : known}`;
  }
}

function halfAt(index: Code, wordOf: (index: Code) => Code): Code {
  const at = /^\w+$/.test(index) ? index : `(${index})`;
  return `unpack2x16float(${wordOf(at)})[${at} % 2]`;
}

function quarter(index: Code): Code {
  return /^\d+$/.test(index) ? String(Number(index) / 4) : /^\w+$/.test(index) ? `${index} >> 2u` : `(${index}) >> 2u`;
}
