import type { TypedArray } from "../../tensor/dtype.ts";
import type { Variable, VariableStorage } from "../../tensor/variable.ts";
import type { Lifetime } from "./lifetime.ts";

/** A device's memory, as far as variables need it. A place holds the value of one. */
export interface VariableMemory<Place> {
  /** @throws OutOfMemory (out-of-memory.ts) where there is no room */
  allocate(variable: Variable): Place | Promise<Place>;
  /** Gives a place that no program knows yet its first value: what is asked of the device from now on comes after this. */
  initialize(place: Place, variable: Variable, data: TypedArray): Promise<void>;
  /** After the programs that have begun. */
  write(place: Place, variable: Variable, data: TypedArray): Promise<void>;
  /** A copy, after the programs that have begun. */
  read(place: Place, variable: Variable): Promise<TypedArray>;
  /**
   * After the programs that have begun; never fails.
   *
   * @param isGone the variable has not moved elsewhere but is no more
   */
  free(place: Place, isGone: boolean): void;
}

interface Resident<Place> {
  readonly place: Place;
  readonly variable: WeakRef<Variable>;
}

/**
 * The variables whose values live on a device. It does not keep them alive: where nobody has one any more, its memory is
 * freed.
 */
export class VariableStore<Place> {
  readonly #memory: VariableMemory<Place>;
  readonly #lifetime: Lifetime;
  readonly #byVariable = new WeakMap<Variable, Resident<Place>>();
  readonly #residents = new Set<Resident<Place>>();
  readonly #garbage = new FinalizationRegistry<Resident<Place>>((resident) => {
    this.#residents.delete(resident);
    this.#memory.free(resident.place, true);
  });
  readonly #storage: VariableStorage = {
    read: (variable) => this.#memory.read(this.placeOf(variable), variable),
    write: (variable, data) => this.#memory.write(this.placeOf(variable), variable, data),
    take: async (variable) => {
      // Programs that begin from now on do not find it.
      const place = this.#remove(variable);
      try {
        const data = await this.#memory.read(place, variable);
        this.#memory.free(place, false);
        return data;
      } catch (error) {
        // Whoever asks for it again is told the same.
        this.#add(variable, place);
        throw error;
      }
    },
    free: (variable) => this.#memory.free(this.#remove(variable), true),
  };

  constructor(memory: VariableMemory<Place>, lifetime: Lifetime) {
    this.#memory = memory;
    this.#lifetime = lifetime;
  }

  /** Variables whose values are here. */
  get size(): number {
    return this.#residents.size;
  }

  /** Whether a program that begins now finds a variable's value here. */
  has(variable: Variable): boolean {
    return this.#byVariable.has(variable);
  }

  /**
   * Has a variable's value move here from where it is.
   *
   * @throws OutOfMemory where there is no room; then the value stays where it is
   */
  async bring(variable: Variable): Promise<void> {
    this.#lifetime.check();
    const place = await this.#memory.allocate(variable);
    let initialized = Promise.resolve();
    try {
      await variable.moveTo(this.#storage, (data) => {
        // It may have waited for other moves while the backend began to close.
        this.#lifetime.check();
        initialized = this.#memory.initialize(place, variable, data);
        this.#add(variable, place);
      });
    } catch (error) {
      this.#memory.free(place, false);
      throw error;
    }
    await initialized;
  }

  /** Good for programs that begin now. */
  placeOf(variable: Variable): Place {
    return this.#resident(variable).place;
  }

  /** Those that are here now. Once the backend is being closed, none comes any more. */
  async moveAllToHost(): Promise<void> {
    for (const { variable } of this.#residents) await variable.deref()?.moveToHost(this.#storage);
  }

  #add(variable: Variable, place: Place): void {
    const resident = { place, variable: new WeakRef(variable) };
    this.#byVariable.set(variable, resident);
    this.#residents.add(resident);
    this.#garbage.register(variable, resident, resident);
  }

  #remove(variable: Variable): Place {
    const resident = this.#resident(variable);
    this.#byVariable.delete(variable);
    this.#residents.delete(resident);
    this.#garbage.unregister(resident);
    return resident.place;
  }

  #resident(variable: Variable): Resident<Place> {
    const resident = this.#byVariable.get(variable);
    if (!resident) throw new Error(`internal: variable ${variable.name} is not on this device`);
    return resident;
  }
}
