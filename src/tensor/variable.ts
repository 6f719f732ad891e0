import { allocate } from "./dtype.ts";
import type { DType, TypedArray } from "./dtype.ts";
import { formatShape, sizeOf } from "./shape.ts";
import type { Shape } from "./shape.ts";

/** Where a variable's value lives while a device owns it. */
export interface VariableStorage {
  read(variable: Variable): Promise<TypedArray>;
  write(variable: Variable, data: TypedArray): Promise<void>;
  free(variable: Variable): void;
}

/**
 * A tensor that outlives a program: a parameter, an optimizer moment, an average. It lives on one device
 * at a time, and the programs that own it update it in place.
 */
export class Variable {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
  #data: TypedArray | undefined;
  #storage: VariableStorage | undefined;

  constructor(name: string, shape: Shape, options: { readonly dtype?: DType; readonly data?: TypedArray } = {}) {
    this.name = name;
    this.shape = shape;
    this.dtype = options.dtype ?? "f32";
    this.#data = options.data ?? allocate(this.dtype, sizeOf(shape));
    this.#check(this.#data);
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  /** A copy of the present value, row-major. */
  async read(): Promise<TypedArray> {
    if (this.#storage) return this.#storage.read(this);
    if (!this.#data) throw new Error(`internal: variable ${this.name} has neither data nor a device`);
    return this.#data.slice();
  }

  /** Replaces the value; `data` is copied. */
  async write(data: TypedArray): Promise<void> {
    this.#check(data);
    if (this.#storage) await this.#storage.write(this, data);
    else this.#data = data.slice();
  }

  /** Called by a device that takes the variable over; resolves with the value to start from. */
  async moveTo(storage: VariableStorage): Promise<TypedArray | undefined> {
    if (this.#storage === storage) return undefined;
    const data = await this.read();
    this.#storage?.free(this);
    this.#storage = storage;
    this.#data = undefined;
    return data;
  }

  /** Called by a device that closes; the value comes back to the host. */
  async moveToHost(): Promise<void> {
    if (!this.#storage) return;
    this.#data = await this.#storage.read(this);
    this.#storage.free(this);
    this.#storage = undefined;
  }

  #check(data: TypedArray): void {
    if (data.length !== this.size) {
      throw new Error(
        `variable ${this.name}: shape ${formatShape(this.shape)} needs ${this.size} values, got ${data.length}`,
      );
    }
  }
}
