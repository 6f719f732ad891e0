import { br_if, local } from "./control-instructions.ts";
import { checkOperand, constantOf, depthOf, depthOfBody } from "./instruction.ts";
import type {
  Body,
  Callable,
  Computed,
  Conditional,
  Instruction,
  Integer,
  Label,
  Local,
  Operand,
  PlainInstruction,
  Value,
  ValueType,
} from "./instruction.ts";
import { i32 } from "./scalar-instructions.ts";

/** A function that a module defines. */
export interface FunctionDefinition<R extends ValueType | undefined = ValueType | undefined> extends Callable<R> {
  readonly parameters: readonly Local[];
  readonly locals: readonly Local[];
  readonly body: Body;
}

/** Code for either side of a condition; both give a value, if one does. */
export function conditional<T extends ValueType | undefined>(
  type: T,
  condition: Integer,
  consequent: Body,
  alternate: Body,
): Conditional<T> {
  checkOperand("i32", condition, "if");
  for (const { result } of [consequent, alternate]) checkResult(type, result, "a branch");
  const depth = 1 + Math.max(depthOf([condition]), depthOfBody(consequent), depthOfBody(alternate));
  return { kind: "if", condition, consequent, alternate, type, depth };
}

function checkResult(type: ValueType | undefined, result: Operand | undefined, user: string): void {
  if (type !== undefined && result !== undefined) checkOperand(type, result, user);
  else if (type !== undefined || result !== undefined)
    throw new Error(`internal: ${user} ${type ? "lacks its" : "has a"} result`);
}

function checkLeavesNothing({ type }: Instruction): void {
  if (type !== undefined) throw new Error(`internal: nothing takes a value of type ${type}`);
}

/** Collects the code of one function; parameters and locals are declared as they are asked for. */
export class FunctionBuilder {
  readonly #parameters: Local[] = [];
  readonly #locals: Local[] = [];
  readonly #vectors = new Map<string, { readonly local: Local<"v128">; readonly value: Value<"v128"> }>();
  #body: Instruction<undefined>[] = [];
  #labels = 0;

  parameter<T extends ValueType>(name: string, type: T): Local<T> {
    const parameter: Local<T> = { kind: "local", name, type };
    this.#parameters.push(parameter);
    return parameter;
  }

  /** A fresh local, set to a value if there is one. */
  local<T extends ValueType>(type: T, value?: Operand<T>): Local<T> {
    const fresh: Local<T> = { kind: "local", name: `${type[0]}${this.#locals.length}`, type };
    this.#locals.push(fresh);
    if (value !== undefined) this.set(fresh, value);
    return fresh;
  }

  /** A fresh local that holds a value, for several uses. */
  keep<T extends ValueType>(value: Computed<T>): Local<T> {
    return this.local(value.type, value);
  }

  /**
   * A vector constant, set once at the start of the function: V8 builds one from several instructions where it
   * stands, also inside a loop.
   */
  constant(value: PlainInstruction<"v128">): Local<"v128"> {
    const [immediate] = value.immediates;
    if (immediate.kind !== "vector") throw new Error(`internal: ${value.form.name} is no constant`);
    const key = immediate.shape + immediate.values.map((x) => (Object.is(x, -0) ? "-0" : x)).join();
    const known = this.#vectors.get(key);
    if (known) return known.local;
    const kept = this.local("v128");
    this.#vectors.set(key, { local: kept, value });
    return kept;
  }

  emit(instruction: Instruction<undefined>): void {
    checkLeavesNothing(instruction);
    this.#body.push(instruction);
  }

  set<T extends ValueType>(to: Local<T>, value: Operand<T>): void {
    this.emit(local.set(to, value));
  }

  increase(counter: Local<"i32">, by: Integer): void {
    this.set(counter, i32.add(counter, by));
  }

  /** What `write` emits, to be put somewhere else. */
  capture(write: () => void): Instruction<undefined>[] {
    const outer = this.#body;
    this.#body = [];
    write();
    const captured = this.#body;
    this.#body = outer;
    return captured;
  }

  /** Code that a branch to its label leaves. */
  block(write: (end: Label) => void): void {
    this.#structure("block", write);
  }

  /** Code that a branch to its label repeats. */
  loop(write: (start: Label) => void): void {
    this.#structure("loop", write);
  }

  when(condition: Integer, consequent: () => void, alternate: () => void = () => undefined): void {
    const [onTrue, onFalse] = [this.capture(consequent), this.capture(alternate)];
    this.emit(conditional(undefined, condition, { instructions: onTrue }, { instructions: onFalse }));
  }

  /** Repeats while a counter runs from `start` to `end` by `step`; not at all if they meet. */
  countUp(start: Integer, end: Integer, step: number, write: (counter: Local<"i32">) => void): void {
    const counter = this.local("i32", start);
    const limit = constantOf(end) ?? this.local("i32", end);
    this.when(i32.lt_s(counter, limit), () => {
      this.loop((again) => {
        write(counter);
        this.emit(br_if(again, i32.lt_s(local.tee(counter, i32.add(counter, step)), limit)));
      });
    });
  }

  /** The function, which gives a value if there is a result. `first` is code that comes before everything else. */
  finish(name: string, result?: undefined, first?: readonly Instruction<undefined>[]): FunctionDefinition<undefined>;
  finish<R extends ValueType>(name: string, result: Computed<R>): FunctionDefinition<R>;
  finish(name: string, result?: Computed, first: readonly Instruction<undefined>[] = []): FunctionDefinition {
    const constants = [...this.#vectors.values()].map((constant) => local.set(constant.local, constant.value));
    const instructions = [...first, ...constants, ...this.#body];
    const type = { parameters: this.#parameters.map((parameter) => parameter.type), result: result?.type };
    const body = result ? { instructions, result } : { instructions };
    return { name, type, parameters: this.#parameters, locals: this.#locals, body };
  }

  #structure(kind: "block" | "loop", write: (label: Label) => void): void {
    const label = { name: `${kind}${this.#labels++}` };
    const body = { instructions: this.capture(() => write(label)) };
    this.emit({ kind, label, body, type: undefined, depth: 1 + depthOfBody(body) });
  }
}
