import type { TypedArray } from "../../tensor/dtype.ts";
import type { Variable } from "../../tensor/variable.ts";
import type { VariableMemory } from "../common/variable-store.ts";
import type { HostFunctions } from "./backend-host.ts";
import type { Caller } from "../common/channel.ts";

/** What a worker knows variables by. One keeps its number for good, as programs that were sent name it. */
export class VariableNumbers {
  readonly #numbers = new WeakMap<Variable, number>();
  readonly #garbage: FinalizationRegistry<number>;
  #count = 0;

  constructor(caller: Caller<HostFunctions>) {
    this.#garbage = new FinalizationRegistry((number) => caller.tell("forget", number));
  }

  of(variable: Variable): number {
    const known = this.#numbers.get(variable);
    if (known !== undefined) return known;
    const number = this.#count++;
    this.#numbers.set(variable, number);
    this.#garbage.register(variable, number);
    return number;
  }
}

/** A worker's memory as that of variables. */
export class WorkerVariables implements VariableMemory<number> {
  readonly #caller: Caller<HostFunctions>;
  readonly #numbers: VariableNumbers;

  constructor(caller: Caller<HostFunctions>, numbers: VariableNumbers) {
    this.#caller = caller;
    this.#numbers = numbers;
  }

  allocate(variable: Variable): number {
    return this.#numbers.of(variable);
  }

  initialize(number: number, { name, shape, dtype, isPacked }: Variable, data: TypedArray): Promise<void> {
    return this.#caller.call("place", number, { name, shape, dtype, isPacked, data });
  }

  write(number: number, variable: Variable, data: TypedArray): Promise<void> {
    return this.initialize(number, variable, data);
  }

  read(number: number): Promise<TypedArray> {
    return this.#caller.call("read", number);
  }

  free(number: number, isGone: boolean): void {
    this.#caller.tell(isGone ? "forget" : "release", number);
  }
}
