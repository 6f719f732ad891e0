/** The types of values that we use, by WebAssembly's names. */
export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";

export type NumberType = Exclude<ValueType, "v128">;

/** A parameter or a local variable; the function that it belongs to gives it an index. */
export interface Local<T extends ValueType = ValueType> {
  readonly kind: "local";
  readonly name: string;
  readonly type: T;
}

/** A variable of a module, each thread's own. */
export interface Global<T extends ValueType = ValueType> {
  readonly name: string;
  readonly type: T;
}

/** What a branch leads to: the end of a block, or the start of a loop. */
export interface Label {
  readonly name: string;
}

export interface FunctionType<R extends ValueType | undefined = ValueType | undefined> {
  readonly parameters: readonly ValueType[];
  readonly result: R;
}

/** A function that can be called: an imported one or one that a module defines. */
export interface Callable<R extends ValueType | undefined = ValueType | undefined> {
  readonly name: string;
  readonly type: FunctionType<R>;
}

/** What stands beside an opcode. */
export type Immediate =
  | Local
  | { readonly kind: "global"; readonly global: Global }
  | { readonly kind: "function"; readonly callable: Callable }
  | { readonly kind: "signature"; readonly type: FunctionType } // of a call through the table
  | { readonly kind: "label"; readonly label: Label }
  | { readonly kind: "address"; readonly alignment: number; readonly offset: number } // log2 of bytes; bytes
  | { readonly kind: "memory" } // the only one
  | { readonly kind: "lanes"; readonly lanes: readonly number[] }
  | { readonly kind: "number"; readonly type: NumberType; readonly value: number }
  | { readonly kind: "vector"; readonly shape: "i32x4" | "f32x4"; readonly values: readonly number[] };

/** What tells one instruction without structure from another. */
export interface InstructionForm<T extends ValueType | undefined = ValueType | undefined> {
  /** As the specification writes it. */
  readonly name: string;
  readonly opcode: readonly number[];
  readonly takes: readonly ValueType[];
  /** What it leaves on the stack. */
  readonly gives: T;
}

/** An opcode with its immediates and its operands, which are computed before it from left to right. */
export interface PlainInstruction<T extends ValueType | undefined> {
  readonly kind: "plain";
  readonly form: InstructionForm<T>;
  readonly operands: readonly Operand[];
  readonly immediates: readonly Immediate[];
  readonly type: T;
  /** How many instructions nest in it; what walks through it is recursive. */
  readonly depth: number;
}

/** Instructions that leave nothing on the stack, and then what is to stay there, if anything. */
export interface Body {
  readonly instructions: readonly Instruction<undefined>[];
  readonly result?: Operand;
}

export interface Block {
  readonly kind: "block" | "loop";
  readonly label: Label;
  readonly body: Body;
  readonly type: undefined;
  readonly depth: number;
}

export interface Conditional<T extends ValueType | undefined> {
  readonly kind: "if";
  readonly condition: Integer;
  readonly consequent: Body;
  readonly alternate: Body;
  readonly type: T;
  readonly depth: number;
}

/** A node of WebAssembly's structured code. */
export type Instruction<T extends ValueType | undefined = ValueType | undefined> =
  | PlainInstruction<T>
  | Conditional<T>
  | (Block & { readonly type: T });

/** An instruction that leaves a value on the stack. */
export type Value<T extends ValueType = ValueType> = PlainInstruction<T> | Conditional<T>;

/** A value, or what a local holds. */
export type Computed<T extends ValueType = ValueType> = Value<T> | Local<T>;

/** What an instruction takes; a number stands for a constant. */
export type Operand<T extends ValueType = ValueType> = Computed<T> | (T extends "v128" ? never : number);

/** An address, a count or an index. */
export type Integer = Operand<"i32">;

/** What operands of these types may be. */
export type Operands<P extends readonly ValueType[]> = { readonly [I in keyof P]: Operand<P[I]> };

/** One list for all: a program has hundreds of thousands of instructions. */
const NO_IMMEDIATES: readonly Immediate[] = [];

/** @throws Error if the operands are not of the types that the instruction takes */
export function instruction<T extends ValueType | undefined>(
  form: InstructionForm<T>,
  operands: readonly Operand[],
  ...immediates: readonly Immediate[]
): PlainInstruction<T> {
  const { name, takes, gives } = form;
  if (operands.length !== takes.length)
    throw new Error(`internal: ${name} takes ${takes.length} operands, got ${operands.length}`);
  operands.forEach((operand, i) => checkOperand(takes[i], operand, name));
  const kept = immediates.length > 0 ? immediates : NO_IMMEDIATES;
  return { kind: "plain", form, operands, immediates: kept, type: gives, depth: 1 + depthOf(operands) };
}

/** @throws Error if an operand is of another type, or a number that none of the type is */
export function checkOperand(type: ValueType, operand: Operand, user: string): void {
  if (typeof operand === "number") checkNumber(type, operand);
  else if (operand.type !== type) throw new Error(`internal: ${user} takes ${type}, got ${operand.type}`);
}

/** An i32 may be given as signed or as unsigned; of an i64, what a number tells apart. */
function checkNumber(type: ValueType, value: number): void {
  const isInteger = type === "i32" || type === "i64";
  const fits = type === "i32" ? value >= -(2 ** 31) && value < 2 ** 32 : Number.isSafeInteger(value);
  if (type === "v128" || (isInteger && !(Number.isInteger(value) && fits)))
    throw new Error(`internal: ${type}.const of ${value}`);
}

/** The number that an operand is, if it is a constant. */
export function constantOf(operand: Operand): number | undefined {
  if (typeof operand === "number") return operand;
  const [immediate] = operand.kind === "plain" ? operand.immediates : [];
  return immediate?.kind === "number" ? immediate.value : undefined;
}

/** How deep some operands or instructions nest. */
export function depthOf(nodes: readonly (Operand | Instruction)[]): number {
  let most = 0;
  for (const node of nodes) if (typeof node === "object" && node.kind !== "local") most = Math.max(most, node.depth);
  return most;
}

/** How deep a block's code nests. */
export function depthOfBody({ instructions, result = 0 }: Body): number {
  return Math.max(depthOf(instructions), depthOf([result]));
}
