import { decodeBfloat16, decodeFloat16 } from "./float16.ts";
import { allocate } from "./dtype.ts";
import type { DType, TypedArray } from "./dtype.ts";
import { packBits, packHalves, packedShape, unpackHalves } from "./half-storage.ts";
import type { HalfDtype, StorageDtype } from "./half-storage.ts";
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

export interface VariableOptions {
  /** Default f32. */
  readonly dtype?: DType;
  /** The value to start from; zeros without one. */
  readonly data?: TypedArray;
  /**
   * f16 or bf16 for a weight that takes half of the memory and that programs only read; default f32. It is taken for f32 values
   * of two axes or more whose first axis is even; others stay as they are.
   */
  readonly storage?: StorageDtype;
  readonly isPacked?: boolean;
  /** Whether other processes get its value from where it lies. Default false. */
  readonly isExchanged?: boolean;
}

/**
 * A tensor that outlives a program: a parameter, an optimizer moment, an average. It lives on one device
 * at a time, and the programs that own it update it in place.
 *
 * Its memory is freed by {@link dispose}, and also at some time after the last reference to it is gone: a program that
 * names it is one.
 */
export class Variable {
  readonly shape: Shape;
  readonly dtype: DType;
  /** What its values take in memory. Programs only read those that are not stored as they are computed with. */
  readonly storage: StorageDtype;
  /** The words that hold two values each, where it is stored in half the width: programs have these in its stead. */
  readonly packed: Variable | undefined;
  /** Whether it is the words of another. */
  readonly isPacked: boolean;
  /** Whether other processes get its value from where it lies: then it stays beside those that came to a device with it. */
  readonly isExchanged: boolean;
  /** Whether training moves it; a parameter that is to stay as it is has false. */
  requiresGrad = true;
  #name: string;
  #data: TypedArray | undefined;
  #storage: VariableStorage | undefined;
  /** Settles when the last move that began has ended; moves happen one after the other. */
  #moved: Promise<void> = Promise.resolve();
  #isDisposed = false;

  constructor(
    name: string,
    shape: Shape,
    { dtype = "f32", data, storage = "f32", isPacked, isExchanged }: VariableOptions = {},
  ) {
    this.#name = name;
    this.shape = shape;
    this.dtype = dtype;
    this.isPacked = isPacked ?? false;
    this.isExchanged = isExchanged ?? false;
    if (data) this.#check(data);
    const words = dtype === "f32" && storage !== "f32" ? packedShape(shape) : undefined;
    this.storage = words ? storage : "f32";
    this.packed = words && new Variable(name, words, { dtype: "u32", isPacked: true, ...(data && this.#packed(data)) });
    if (!words) this.#data = data;
  }

  /** A label for messages; a module names its parameters by their place in it. */
  get name(): string {
    return this.#name;
  }

  set name(name: string) {
    this.#name = name;
    if (this.packed) this.packed.name = name;
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
    if (this.packed && this.storage !== "f32") {
      return unpackHalves(this.storage, (await this.packed.read()) as Uint32Array);
    }
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
    if (this.packed) return this.packed.write(this.#packed(data).data);
    const copy = data.slice();
    await this.#moved;
    if (this.#storage) await this.#storage.write(this, copy);
    else this.#data = copy;
  }

  /**
   * Replaces the value by one of half the width, given by its bits; where it is stored like that, as it is.
   *
   * @throws Error of one line if there are more or fewer, or the variable was disposed of
   */
  async writeHalves(dtype: HalfDtype, bits: Uint16Array): Promise<void> {
    if (dtype !== this.storage || !this.packed || bits.length !== this.size) {
      return this.write(dtype === "f16" ? decodeFloat16(bits) : decodeBfloat16(bits));
    }
    this.#checkUsable();
    await this.packed.write(packBits(this.name, dtype, bits));
  }

  /** Whether a device owns it, or else the host. */
  get isOnDevice(): boolean {
    return this.packed?.isOnDevice ?? this.#storage !== undefined;
  }

  /**
   * Frees its memory on the device or the host, after the programs that have begun with it. Then it cannot be read or
   * written, and programs that name it cannot run.
   */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.packed?.dispose();
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

  #packed(data: TypedArray): { readonly data: TypedArray } {
    if (this.storage === "f32") throw new Error(`internal: variable ${this.name} is not packed`);
    return { data: packHalves(this.name, this.storage, data as Float32Array<ArrayBuffer>) };
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
