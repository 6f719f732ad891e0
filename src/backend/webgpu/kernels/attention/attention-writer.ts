import type { AttentionShape, Buffer, View } from "../../../../compiler/program.ts";
import { range } from "../../../../tensor/shape.ts";
import { affineCode } from "../../emit/expression-emitter.ts";
import { decode } from "../../emit/grid.ts";
import { ShaderWriter } from "../../emit/shader.ts";
import type { Dispatch } from "../../emit/dispatch.ts";
import type { Code, ShaderBuffers } from "../../emit/shader.ts";
import { isAligned } from "../../emit/vectors.ts";
import { returnFour } from "../operand.ts";
import { CHUNK, EACH, PITCH, chooseAttentionTile } from "./attention-tile.ts";
import type { AttentionTile } from "./attention-tile.ts";

/** Tokens of [batch, tokens, heads, channels], to read from. */
export interface Tokens {
  readonly view: View;
  readonly count: number;
}

/** Sums over the columns, times something for each row and column: [batch, tokens, heads, channels], contiguous. */
export interface Sums {
  readonly name: string;
  readonly of: Tokens;
  readonly result: Buffer;
}

export const INDICES = range(EACH);
const COMPONENTS = ["x", "y", "z", "w"];

/**
 * A shader of attention. A workgroup has some tokens of a head as rows, and goes over other tokens as columns; an invocation
 * computes a block of 4x4 for `rows` and `columns` that lie as far apart as there are invocations beside it, so that
 * neighbours read neighbours. Weights pass through workgroup memory, and each invocation keeps sums of its four rows, some
 * channels of each.
 */
export class AttentionWriter {
  readonly shader: ShaderWriter;
  readonly shape: AttentionShape;
  readonly tile: AttentionTile;
  /** Invocations beside and below each other. */
  readonly across: number;
  readonly down: number;
  readonly #rows: number;
  readonly #columns: number;
  readonly #readers = new Map<Tokens, string>();
  readonly #sums: readonly Sums[];

  /** @param rows how many tokens there are in all, as rows and as columns */
  constructor(
    buffers: ShaderBuffers,
    shape: AttentionShape,
    { rows, columns }: { readonly rows: number; readonly columns: number },
    operands: readonly Tokens[],
    sums: readonly Sums[],
  ) {
    const vectors = [
      ...operands.filter((tokens) => isInFours(tokens, shape)).map(({ view }) => view.buffer),
      ...(shape.channels % 4 === 0 ? sums.map(({ result }) => result) : []),
    ];
    this.shader = new ShaderWriter(buffers, vectors);
    this.shape = shape;
    this.tile = chooseAttentionTile(buffers.adapter);
    this.across = this.tile.columns / EACH;
    this.down = this.tile.rows / EACH;
    this.#rows = rows;
    this.#columns = columns;
    this.#sums = sums;
    const { shader } = this;
    const staged = Math.max(PITCH * (this.tile.rows + this.tile.columns), this.tile.columns * this.across);
    shader.shared("tile", "vec4<f32>", staged);
    shader.shared("weights", "vec4<f32>", this.tile.rows * this.across);
    shader.line(`let column = local % ${this.across};`);
    shader.line(`let row = local / ${this.across};`);
    const [image, head] = decode(shader, [shape.batch, shape.heads], `(group / ${this.#tiles})`, "i");
    shader.line(`let image = ${image};`);
    shader.line(`let head = ${head};`);
    shader.line(`let first = group % ${this.#tiles} * ${this.tile.rows};`);
    for (const sum of sums) for (const name of this.#names(sum).flat()) shader.line(`var ${name} = vec4<f32>();`);
  }

  get #tiles(): number {
    return Math.ceil(this.#rows / this.tile.rows);
  }

  /** Channels of sums, in fours, that an invocation has of each row. */
  get #fours(): number[] {
    return range(Math.ceil(this.shape.channels / (4 * this.across)));
  }

  /** Variables of sums, for each of the invocation's rows and of its fours. */
  #names({ name }: Sums): Code[][] {
    return INDICES.map((i) => this.#fours.map((n) => `${name}${i}_${n}`));
  }

  /** The i-th of the invocation's rows, in the tile. */
  rowOf(i: number): Code {
    return `(row + ${i * this.down})`;
  }

  /** Whether each of the invocation's columns is there. */
  get isColumn(): Code {
    const all = INDICES.map((j) => `block + column + ${j * this.across}`);
    return `(vec4<i32>(${all.join(", ")}) < vec4<i32>(${this.#columns}))`;
  }

  /** What there is for a token of a row or a column in [batch, tokens, heads], of the last where there is none. */
  ofRow(buffer: Buffer, i: number): Code {
    return this.#ofToken(buffer, `first + ${this.rowOf(i)}`, this.#rows);
  }

  ofColumns(buffer: Buffer): Code {
    const all = INDICES.map((j) => this.#ofToken(buffer, `block + column + ${j * this.across}`, this.#columns));
    return `vec4(${all.join(", ")})`;
  }

  #ofToken(buffer: Buffer, token: Code, count: number): Code {
    return this.shader.load(buffer, this.#place(`min(${token}, ${count - 1})`, count));
  }

  #place(token: Code, count: number): Code {
    return `(image * ${count} + ${token}) * ${this.shape.heads} + head`;
  }

  barrier(): void {
    this.shader.line("workgroupBarrier();");
  }

  /** Goes over the columns, a block at a time. */
  eachBlock(body: () => void): void {
    this.shader.block(`for (var block = 0; block < ${this.#columns}; block += ${this.tile.columns})`, body);
  }

  /** Products of each row with each column: four vectors `name`, of the columns. */
  products(name: string, rows: Tokens, columns: Tokens): void {
    const { shader, tile, shape } = this;
    for (const i of INDICES) shader.line(`var ${name}${i} = vec4<f32>();`);
    shader.block(`for (var start = 0; start < ${shape.channels}; start += ${4 * CHUNK})`, () => {
      this.#stage(rows, { first: "first", count: tile.rows, fours: CHUNK, pitch: PITCH, at: 0 });
      this.#stage(columns, { first: "block", count: tile.columns, fours: CHUNK, pitch: PITCH, at: PITCH * tile.rows });
      this.barrier();
      shader.block(`for (var k = 0; k < ${CHUNK}; k++)`, () => {
        for (const j of INDICES)
          shader.line(`let b${j} = tile[(column + ${tile.rows + j * this.across}) * ${PITCH} + k];`);
        for (const i of INDICES) {
          shader.line(`let a${i} = tile[${this.rowOf(i)} * ${PITCH} + k];`);
          const dots = INDICES.map((j) => `dot(a${i}, b${j})`);
          shader.line(`${name}${i} += vec4(${dots.join(", ")});`);
        }
      });
      this.barrier();
    });
  }

  /**
   * Adds up tokens of a block of columns, times what `factors` give for each row, and those sums to what there is of each row,
   * times what is kept of it: so no long sum is added up one by one.
   */
  add(sum: Sums, factors: (i: number) => Code, kept?: (i: number) => Code): void {
    const { shader, tile, across } = this;
    for (const i of INDICES) shader.line(`weights[${this.rowOf(i)} * ${across} + column] = ${factors(i)};`);
    const names = this.#names(sum);
    for (const n of this.#fours) {
      shader.block("", () => {
        shader.line(`let start = ${4 * n * across};`);
        this.#stage(sum.of, { first: "block", count: tile.columns, fours: across, pitch: across, at: 0 });
        this.barrier();
        for (const i of INDICES) shader.line(`var sum${i} = vec4<f32>();`);
        shader.block(`for (var k = 0; k < ${across}; k++)`, () => {
          for (const j of INDICES) shader.line(`let b${j} = tile[(k + ${j * across}) * ${across} + column];`);
          for (const i of INDICES) {
            shader.line(`let a${i} = weights[${this.rowOf(i)} * ${across} + k];`);
            for (const j of INDICES) shader.line(`sum${i} = fma(vec4(a${i}.${COMPONENTS[j]}), b${j}, sum${i});`);
          }
        });
        for (const i of INDICES) {
          const before = kept ? `${names[i][n]} * ${kept(i)}` : names[i][n];
          shader.line(`${names[i][n]} = ${before} + sum${i};`);
        }
        this.barrier();
      });
    }
  }

  /** Multiplies the sums of each row by a factor. */
  multiply(sum: Sums, factor: (i: number) => Code): void {
    this.#names(sum).forEach((names, i) => {
      for (const name of names) this.shader.line(`${name} *= ${factor(i)};`);
    });
  }

  /** Joins a vector of the invocation's four rows with those of the invocations beside it, which have the same rows. */
  join(value: Code, other: (a: Code, b: Code) => Code): void {
    const { shader, across } = this;
    shader.line(`weights[row * ${across} + column] = ${value};`);
    this.barrier();
    shader.line(`${value} = weights[row * ${across}];`);
    shader.block(`for (var k = 1; k < ${across}; k++)`, () =>
      shader.line(`${value} = ${other(value, `weights[row * ${across} + k]`)};`),
    );
    this.barrier();
  }

  /** Goes over the invocation's rows that there are. */
  eachRow(body: (i: number) => void): void {
    for (const i of INDICES) this.shader.block(`if (first + ${this.rowOf(i)} < ${this.#rows})`, () => body(i));
  }

  /** Writes one number of a row. */
  storeOfRow(buffer: Buffer, i: number, value: Code): void {
    this.shader.store(buffer, this.#place(`first + ${this.rowOf(i)}`, this.#rows), value);
  }

  finish(name: string): Dispatch {
    const { shader, shape } = this;
    this.eachRow((i) => {
      for (const sum of this.#sums) for (const n of this.#fours) this.#store(sum, i, n);
    });
    return shader.finish(name, this.across * this.down, shape.batch * shape.heads * this.#tiles);
  }

  #store(sum: Sums, i: number, n: number): void {
    const { shader, shape, across } = this;
    const channel = `(column + ${n * across}) * 4`;
    const value = this.#names(sum)[i][n];
    shader.block(`if (${channel} < ${shape.channels})`, () => {
      const row = this.#place(`first + ${this.rowOf(i)}`, this.#rows);
      const at = shader.bind("at", `(${row}) * ${shape.channels} + ${channel}`);
      if (shape.channels % 4 === 0) shader.storeVector(sum.result, at, value);
      else
        shader.block(`for (var lane = 0; lane < min(4, ${shape.channels} - ${channel}); lane++)`, () =>
          shader.store(sum.result, `${at} + lane`, `${value}[lane]`),
        );
    });
  }

  /** Brings tokens into workgroup memory: those from `first` on, some channels from `start` on. */
  #stage(
    tokens: Tokens,
    part: {
      readonly first: Code;
      readonly count: number;
      readonly fours: number;
      readonly pitch: number;
      readonly at: number;
    },
  ): void {
    const { first, count, fours, pitch, at } = part;
    const size = this.across * this.down;
    this.shader.block(`for (var unit = local; unit < ${count * fours}; unit += ${size})`, () => {
      const token = `unit / ${fours}`;
      const four = `unit % ${fours}`;
      const read = `${this.#reader(tokens)}(image, ${first} + ${token}, head, start + ${four} * 4)`;
      this.shader.line(`tile[${at} + ${token} * ${pitch} + ${four}] = ${read};`);
    });
  }

  /** A function of four channels of a token, with 0 where there are none. */
  #reader(tokens: Tokens): string {
    const { shader, shape } = this;
    const { view, count } = tokens;
    const known = this.#readers.get(tokens);
    if (known) return known;
    const name = `tokens${this.#readers.size}`;
    this.#readers.set(tokens, name);
    shader.function(`${name}(image: i32, token: i32, head: i32, channel: i32) -> vec4<f32>`, () => {
      shader.line(`if (token >= ${count} || channel >= ${shape.channels}) { return vec4<f32>(); }`);
      const index = affineCode(view.index, ["image", "token", "head", "channel"], shader);
      if (isInFours(tokens, shape)) shader.line(`return ${shader.loadVector(view.buffer, shader.bind("at", index))};`);
      else {
        const at = shader.bind("at", index);
        returnFour(shader, shape.channels, "channel", (i) => shader.load(view.buffer, `${at} + ${i}`));
      }
    });
    return name;
  }
}

/** Whether four channels can be read at once. */
function isInFours({ view, count }: Tokens, { batch, heads, channels }: AttentionShape): boolean {
  return isAligned(view.index, [batch, count, heads, channels], 3);
}
