import { unsignedLeb128 } from "./byte-writer.ts";
import { checkOperand, instruction } from "./instruction.ts";
import type {
  Immediate,
  InstructionForm,
  Integer,
  NumberType,
  Operand,
  Operands,
  PlainInstruction,
  Value,
  ValueType,
} from "./instruction.ts";

/** Functions that make the instructions of one kind, which differ in their opcodes alone. */
type Family<N extends string, P extends readonly ValueType[], R extends ValueType> = {
  readonly [K in N]: (...operands: Operands<P>) => Value<R>;
};

export function family<N extends string, const P extends readonly ValueType[], R extends ValueType>(
  name: string,
  takes: P,
  gives: R,
  opcodes: Readonly<Record<N, readonly number[]>>,
): Family<N, P, R> {
  const rows = Object.entries<readonly number[]>(opcodes).map(([key, opcode]) => {
    const form = { name: `${name}.${key}`, opcode, takes, gives };
    return [key, (...operands: readonly Operand[]) => instruction(form, operands)];
  });
  return Object.fromEntries(rows) as Family<N, P, R>;
}

/** The opcodes of constants. */
export const CONST: Readonly<Record<NumberType, number>> = { i32: 0x41, i64: 0x42, f32: 0x43, f64: 0x44 };

/** The instruction that gives a number as it is. */
export function constant<T extends NumberType>(type: T) {
  const form = { name: `${type}.const`, opcode: [CONST[type]], takes: [], gives: type };
  return (value: number): PlainInstruction<T> => {
    checkOperand(type, value, form.name);
    return instruction(form, [], { kind: "number", type, value });
  };
}

/** Forms of an instruction that there is for values of every type. */
export function formsByType<F extends InstructionForm>(form: (type: ValueType) => F): Readonly<Record<ValueType, F>> {
  return { i32: form("i32"), i64: form("i64"), f32: form("f32"), f64: form("f64"), v128: form("v128") };
}

/** Prefixes of opcodes: of saturating conversions and operations on memory, of vectors, of atomic access. */
export const MISCELLANEOUS = 0xfc;
export const VECTOR = 0xfd;
export const ATOMIC = 0xfe;

/** The bytes of an opcode that follows a prefix. */
export const prefixed = (prefix: number, opcode: number): readonly number[] => [prefix, ...unsignedLeb128(opcode)];

/** The address of an access: a local or other value, and a constant number of bytes beyond it. */
export const address = (bytes: number, offset: number): Immediate => ({
  kind: "address",
  alignment: Math.log2(bytes),
  offset: offset >= 0 ? offset : refuse(offset),
});

function refuse(offset: number): never {
  throw new Error(`internal: an offset is not below 0, got ${offset}`);
}

export function load<T extends ValueType>(name: string, opcode: readonly number[], gives: T, bytes: number) {
  const form = { name, opcode, takes: ["i32"], gives } as const;
  return (at: Integer, offset = 0): Value<T> => instruction(form, [at], address(bytes, offset));
}

export function store<T extends ValueType>(name: string, opcode: readonly number[], type: T, bytes: number) {
  const form = { name, opcode, takes: ["i32", type], gives: undefined } as const;
  return (at: Integer, value: Operand<T>, offset = 0): PlainInstruction<undefined> =>
    instruction(form, [at, value], address(bytes, offset));
}
