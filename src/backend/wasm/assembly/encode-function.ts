import { ByteWriter } from "./byte-writer.ts";
import { CONST } from "./instruction-family.ts";
import type { FunctionDefinition } from "./function-builder.ts";
import type {
  Body,
  Callable,
  FunctionType,
  Global,
  Immediate,
  Instruction,
  Label,
  Local,
  NumberType,
  Operand,
  ValueType,
} from "./instruction.ts";

export const VALUE_TYPES: Readonly<Record<ValueType, number>> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};

const LOCAL_GET = 0x20;
const OPENINGS = { block: 0x02, loop: 0x03, if: 0x04 } as const;
const ELSE = 0x05;
const END = 0x0b;
const NO_RESULT = 0x40;

/** What a module counts. */
export interface ModuleIndices {
  functionIndex(callable: Callable): number;
  typeIndex(type: FunctionType): number;
  globalIndex(global: Global): number;
}

/** The binary form of a function: its locals and its instructions. */
export function encodeFunction(definition: FunctionDefinition, indices: ModuleIndices): Uint8Array<ArrayBuffer> {
  return new FunctionEncoder(definition, indices).encode();
}

/** What is open around an instruction; a branch counts outwards. An `if` has no label. */
type OpenLabel = Label | undefined;

class FunctionEncoder {
  readonly #out = new ByteWriter();
  readonly #definition: FunctionDefinition;
  readonly #indices: ModuleIndices;
  readonly #locals: ReadonlyMap<Local, number>;
  readonly #labels: OpenLabel[] = [];

  constructor(definition: FunctionDefinition, indices: ModuleIndices) {
    const { parameters, locals } = definition;
    this.#definition = definition;
    this.#indices = indices;
    this.#locals = new Map([...parameters, ...locals].map((local, i) => [local, i]));
  }

  encode(): Uint8Array<ArrayBuffer> {
    const { locals, body } = this.#definition;
    this.#out.list(runsOf(locals), ({ type, count }) => {
      this.#out.unsigned(count);
      this.#out.byte(VALUE_TYPES[type]);
    });
    this.#body(body, this.#definition.type.result);
    this.#out.byte(END);
    return this.#out.finish();
  }

  #body({ instructions, result }: Body, type: ValueType | undefined): void {
    for (const instruction of instructions) this.#instruction(instruction);
    if (type !== undefined && result !== undefined) this.#operand(type, result);
  }

  #operand(type: ValueType, operand: Operand): void {
    if (typeof operand === "number") this.#constant(type, operand);
    else if (operand.kind === "local") {
      this.#out.byte(LOCAL_GET);
      this.#out.unsigned(this.#indexOf(operand));
    } else this.#instruction(operand);
  }

  #instruction(instruction: Instruction): void {
    switch (instruction.kind) {
      case "plain": {
        const { form, operands, immediates } = instruction;
        operands.forEach((operand, i) => this.#operand(form.takes[i], operand));
        this.#out.bytes(form.opcode);
        for (const immediate of immediates) this.#immediate(immediate);
        break;
      }
      case "if": {
        const { condition, consequent, alternate, type } = instruction;
        this.#operand("i32", condition);
        this.#open(instruction, undefined);
        this.#body(consequent, type);
        if (alternate.instructions.length > 0 || type !== undefined) this.#out.byte(ELSE);
        this.#body(alternate, type);
        this.#close();
        break;
      }
      case "block":
      case "loop":
        this.#open(instruction, instruction.label);
        this.#body(instruction.body, undefined);
        this.#close();
    }
  }

  #open(
    { kind, type }: { readonly kind: keyof typeof OPENINGS; readonly type: ValueType | undefined },
    label: OpenLabel,
  ): void {
    this.#out.byte(OPENINGS[kind]);
    this.#out.byte(type === undefined ? NO_RESULT : VALUE_TYPES[type]);
    this.#labels.push(label);
  }

  #close(): void {
    this.#labels.pop();
    this.#out.byte(END);
  }

  #immediate(immediate: Immediate): void {
    switch (immediate.kind) {
      case "local":
        this.#out.unsigned(this.#indexOf(immediate));
        break;
      case "global":
        this.#out.unsigned(this.#indices.globalIndex(immediate.global));
        break;
      case "function":
        this.#out.unsigned(this.#indices.functionIndex(immediate.callable));
        break;
      case "signature":
        this.#out.unsigned(this.#indices.typeIndex(immediate.type));
        this.#out.byte(0); // the only table
        break;
      case "label":
        this.#out.unsigned(this.#distanceTo(immediate.label));
        break;
      case "address":
        this.#out.unsigned(immediate.alignment);
        this.#out.unsigned(immediate.offset);
        break;
      case "memory":
        this.#out.byte(0);
        break;
      case "lanes":
        this.#out.bytes(immediate.lanes);
        break;
      case "number":
        this.#number(immediate.type, immediate.value);
        break;
      case "vector":
        for (const value of immediate.values) {
          if (immediate.shape === "f32x4") this.#out.float32(value);
          else this.#out.bytes(new Uint8Array(Int32Array.of(value).buffer));
        }
    }
  }

  #constant(type: ValueType, value: number): void {
    if (type === "v128") throw new Error("internal: no number is a vector");
    this.#out.byte(CONST[type]);
    this.#number(type, value);
  }

  #number(type: NumberType, value: number): void {
    if (type === "f32") this.#out.float32(value);
    else if (type === "f64") this.#out.float64(value);
    else this.#out.signed(type === "i32" ? value | 0 : value);
  }

  #indexOf(local: Local): number {
    const index = this.#locals.get(local);
    if (index === undefined) throw new Error(`internal: ${this.#definition.name} has no local ${local.name}`);
    return index;
  }

  #distanceTo(label: Label): number {
    const at = this.#labels.lastIndexOf(label);
    if (at === -1) throw new Error(`internal: ${label.name} is not around its branch`);
    return this.#labels.length - 1 - at;
  }
}

/** Neighbours of one type together. */
function runsOf(locals: readonly Local[]): { type: ValueType; count: number }[] {
  const runs: { type: ValueType; count: number }[] = [];
  for (const { type } of locals) {
    const last = runs.at(-1);
    if (last?.type === type) last.count++;
    else runs.push({ type, count: 1 });
  }
  return runs;
}
