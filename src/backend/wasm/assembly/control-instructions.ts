import { formsByType } from "./instruction-family.ts";
import { instruction } from "./instruction.ts";
import type {
  Callable,
  FunctionType,
  Global,
  Integer,
  Label,
  Local,
  Operand,
  PlainInstruction,
  Value,
  ValueType,
} from "./instruction.ts";

// Variables, branches and calls, by their names in the specification.

const SET = formsByType((type) => ({ name: "local.set", opcode: [0x21], takes: [type], gives: undefined }));
const TEE = formsByType((type) => ({ name: "local.tee", opcode: [0x22], takes: [type], gives: type }));
const SELECT = formsByType((type) => ({ name: "select", opcode: [0x1b], takes: [type, type, "i32"], gives: type }));

export const local = {
  set: <T extends ValueType>(local: Local<T>, value: Operand<T>): PlainInstruction<undefined> =>
    instruction(SET[local.type], [value], local),
  /** Sets a local and gives its value. */
  tee: <T extends ValueType>(local: Local<T>, value: Operand<T>): Value<T> =>
    instruction(TEE[local.type], [value], local) as Value<T>,
};

export const global = {
  get: <T extends ValueType>(global: Global<T>): Value<T> =>
    instruction({ name: "global.get", opcode: [0x23], takes: [], gives: global.type }, [], { kind: "global", global }),
  set: <T extends ValueType>(global: Global<T>, value: Operand<T>): PlainInstruction<undefined> =>
    instruction({ name: "global.set", opcode: [0x24], takes: [global.type], gives: undefined }, [value], {
      kind: "global",
      global,
    }),
};

/** The first value where the condition is not 0, else the second; both are computed. */
export function select<T extends ValueType>(
  type: T,
  onTrue: Operand<T>,
  onFalse: Operand<T>,
  condition: Integer,
): Value<T> {
  return instruction(SELECT[type], [onTrue, onFalse, condition]) as Value<T>;
}

export function drop(value: Value): PlainInstruction<undefined> {
  return instruction({ name: "drop", opcode: [0x1a], takes: [value.type], gives: undefined }, [value]);
}

export function br(label: Label): PlainInstruction<undefined> {
  return instruction({ name: "br", opcode: [0x0c], takes: [], gives: undefined }, [], { kind: "label", label });
}

export function br_if(label: Label, condition: Integer): PlainInstruction<undefined> {
  const form = { name: "br_if", opcode: [0x0d], takes: ["i32"], gives: undefined } as const;
  return instruction(form, [condition], { kind: "label", label });
}

/** The instruction `return`, a word that JavaScript keeps for itself. */
export function leave(): PlainInstruction<undefined> {
  return instruction({ name: "return", opcode: [0x0f], takes: [], gives: undefined }, []);
}

export function unreachable(): PlainInstruction<undefined> {
  return instruction({ name: "unreachable", opcode: [0x00], takes: [], gives: undefined }, []);
}

export function call<R extends ValueType | undefined>(
  callable: Callable<R>,
  ...operands: readonly Operand[]
): PlainInstruction<R> {
  const { parameters, result } = callable.type;
  const form = { name: "call", opcode: [0x10], takes: parameters, gives: result };
  return instruction(form, operands, { kind: "function", callable });
}

/** Calls the function at an index of the module's table. */
export function call_indirect<R extends ValueType | undefined>(
  type: FunctionType<R>,
  index: Integer,
  ...operands: readonly Operand[]
): PlainInstruction<R> {
  const takes = [...type.parameters, "i32" as const];
  const form = { name: "call_indirect", opcode: [0x11], takes, gives: type.result };
  return instruction(form, [...operands, index], { kind: "signature", type });
}
