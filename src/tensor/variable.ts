import { allocate } from "./dtype.ts";
import type { DType, TypedArray } from "./dtype.ts";
import { formatShape, sizeOf } from "./shape.ts";
import type { Shape } from "./shape.ts";

/** Where a variable's value lives while a device owns it. */
export interface VariableStorage {
  read(variable: Variable): Promise<TypedArray>;
  write(variable: Variable, data: TypedArray): Promise<void>;
  /** Gives the value away, after the programs that have begun with it, and frees its memory. */
  take(variable: Variable): Promise<TypedArray>;
  /** Frees its memory, after the programs that have begun with it, and forgets it. */
  free(variable: Variable): void;
}

/**
 * A tensor that outlives a program: a parameter, an optimizer moment, an average. It lives on one device
 * at a time, and the programs that own it update it in place.
 *
 * Its memory is freed by {@link dispose}, and also at some time after the last reference to it is gone: a program that
 * names it is one.
 */
export class Variable {
  /** A label for messages; a module names its parameters by their place in it. */
  name: string;
  readonly shape: Shape;
  readonly dtype: DType;
  /** Whether training moves it; a parameter that is to stay as it is has false. */
  requiresGrad = true;
  #data: TypedArray | undefined;
  #storage: VariableStorage | undefined;
  /** Settles when the last move that began has ended; moves happen one after the other. */
  #moved: Promise<void> = Promise.resolve();
  #isDisposed = false;

  constructor(name: string, shape: Shape, options: { readonly dtype?: DType; readonly data?: TypedArray } = {}) {
    this.name = name;
    this.shape = shape;
    this.dtype = options.dtype ?? "f32";
    this.#data = options.data;
    if (options.data) this.#check(options.data);
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  /**
   * A copy of the present value, row-major.
   *
   * @throws Error of one line if it was disposed of
   */
  async read(): Promise<TypedArray> {
    this.#checkUsable();
    await this.#moved;
    if (this.#storage) return this.#storage.read(this);
    return this.#data?.slice() ?? this.#zeros();
  }

  /**
   * Replaces the value; `data` is copied.
   *
   * @throws Error of one line if `data` has another size or kind, or the variable was disposed of
   */
  async write(data: TypedArray): Promise<void> {
    this.#checkUsable();
    this.#check(data);
    const copy = data.slice();
    await this.#moved;
    if (this.#storage) await this.#storage.write(this, copy);
    else this.#data = copy;
  }

  /** Whether a device owns it, or else the host. */
  get isOnDevice(): boolean {
    return this.#storage !== undefined;
  }

  /**
   * Frees its memory on the device or the host, after the programs that have begun with it. Then it cannot be read or
   * written, and programs that name it cannot run.
   */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    void this.#afterMoves(async () => {
      this.#storage?.free(this);
      this.#storage = undefined;
      this.#data = undefined;
    });
  }

  /** Called by a device that takes the variable over; `receive` is given the value to start from, before others can ask for it. */
  async moveTo(storage: VariableStorage, receive: (data: TypedArray) => void): Promise<void> {
    this.#checkUsable();
    await this.#afterMoves(async () => {
      if (this.#storage === storage)
        throw new Error(`internal: variable ${this.name} moves to the device that it is on`);
      this.#data = await this.#leave();
      receive(this.#data);
      this.#storage = storage;
      this.#data = undefined;
    });
  }

  /**
   * Called by a device that closes: the value comes back to the host.
   *
   * @param from the value stays where it is if it is no more with this one
   */
  moveToHost(from?: VariableStorage): Promise<void> {
    return this.#afterMoves(async () => {
      const isHere = this.#storage !== undefined && (from === undefined || from === this.#storage);
      if (isHere) this.#data = await this.#leave();
    });
  }

  #afterMoves<T>(move: () => Promise<T>): Promise<T> {
    const result = this.#moved.then(move);
    this.#moved = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  /** Takes the value away from where it is. */
  async #leave(): Promise<TypedArray> {
    const data = this.#storage ? await this.#storage.take(this) : (this.#data ?? this.#zeros());
    this.#storage = undefined;
    return data;
  }

  /** What it holds until something else is written: memory is taken only when the value is asked for. */
  #zeros(): TypedArray {
    return allocate(this.dtype, this.size);
  }

  #checkUsable(): void {
    if (this.#isDisposed) throw new Error(`variable ${this.name} was disposed of`);
  }

  #check(data: TypedArray): void {
    const kind = allocate(this.dtype, 0).constructor;
    if (data.length === this.size && data.constructor === kind) return;
    const needed = `${this.dtype}${formatShape(this.shape)} needs ${kind.name} of ${this.size}`;
    throw new Error(`variable ${this.name}: ${needed}, got ${data.constructor.name} of ${data.length}`);
  }
}
