import { encodeFunction } from "./encode-function.ts";
import type { ModuleIndices } from "./encode-function.ts";
import type { FunctionDefinition } from "./function-builder.ts";
import type { Callable, FunctionType, Global } from "./instruction.ts";

/** The names under which a module asks for something. */
export interface ImportName {
  readonly module: string;
  readonly field: string;
}

/** In pages of 64 KiB. */
export interface MemoryLimits {
  readonly minimum: number;
  readonly maximum: number;
  readonly shared: boolean;
}

export type Import = ImportName &
  (
    | { readonly kind: "memory"; readonly memory: MemoryLimits }
    | { readonly kind: "function"; readonly callable: Callable }
    | { readonly kind: "global"; readonly global: Global }
  );

/** A variable that the module itself has, and what it starts with. */
export interface DefinedGlobal {
  readonly global: Global<"i32">;
  readonly start: number;
}

export interface Export {
  readonly name: string;
  readonly callable: Callable;
}

/** A function with its place in the module and its code. */
export interface EncodedFunction extends Callable {
  readonly index: number;
  readonly code: Uint8Array;
  /** Where the module is to be printed. */
  readonly definition: FunctionDefinition | undefined;
}

/**
 * Collects what a module is made of. Whatever refers to a function defines it; functions with equal code are one. None may
 * call itself, directly or by others.
 */
export class ModuleBuilder implements ModuleIndices {
  readonly #types: FunctionType[] = [];
  readonly #imports: Import[] = [];
  readonly #globals: DefinedGlobal[] = [];
  readonly #table: number[] = [];
  readonly #exports: Export[] = [];
  readonly #functions: EncodedFunction[] = [];
  readonly #indices = new WeakMap<Callable, number>();
  readonly #globalIndices = new Map<Global, number>();
  /** Of functions whose code has so many bytes. */
  readonly #bySize = new Map<number, EncodedFunction[]>();
  readonly #printable: boolean;
  #importedFunctions = 0;

  /** @param printable whether instructions are kept beside their bytes: they take a hundred times as much memory */
  constructor({ printable = false } = {}) {
    this.#printable = printable;
  }

  get types(): readonly FunctionType[] {
    return this.#types;
  }

  get imports(): readonly Import[] {
    return this.#imports;
  }

  get globals(): readonly DefinedGlobal[] {
    return this.#globals;
  }

  get functions(): readonly EncodedFunction[] {
    return this.#functions;
  }

  /** The indices of the functions that a call through the table reaches. */
  get table(): readonly number[] {
    return this.#table;
  }

  get exports(): readonly Export[] {
    return this.#exports;
  }

  /** To be called for all imports before the first function is defined. */
  import(wanted: Import): void {
    if (this.#functions.length > 0) throw new Error(`internal: ${wanted.field} is imported too late`);
    this.#imports.push(wanted);
    if (wanted.kind === "global") this.#globalIndices.set(wanted.global, this.#globalIndices.size);
    if (wanted.kind !== "function") return;
    this.typeIndex(wanted.callable.type);
    this.#indices.set(wanted.callable, this.#importedFunctions++);
  }

  defineGlobal(global: Global<"i32">, start: number): void {
    this.#globals.push({ global, start });
    this.#globalIndices.set(global, this.#globalIndices.size);
  }

  /** @returns the function, or the one with equal code that there was already */
  define(definition: FunctionDefinition): EncodedFunction {
    return this.#functions[this.functionIndex(definition) - this.#importedFunctions];
  }

  /** @returns the function's place in the table, which is given to it when it has none */
  tableIndex({ index }: EncodedFunction): number {
    const known = this.#table.indexOf(index);
    return known === -1 ? this.#table.push(index) - 1 : known;
  }

  export(name: string, callable: Callable): void {
    this.functionIndex(callable);
    this.#exports.push({ name, callable });
  }

  functionIndex(callable: Callable): number {
    const known = this.#indices.get(callable);
    if (known !== undefined) return known;
    if (!isDefinition(callable)) throw new Error(`internal: ${callable.name} is not imported`);
    const code = encodeFunction(callable, this);
    const type = this.typeIndex(callable.type);
    const sameSize = this.#bySize.get(code.length) ?? [];
    const twin = sameSize.find((other) => this.typeIndex(other.type) === type && haveEqualBytes(other.code, code));
    const index = twin?.index ?? this.#importedFunctions + this.#functions.length;
    this.#indices.set(callable, index);
    if (twin) return index;
    const { name } = callable;
    const encoded = { name, type: callable.type, index, code, definition: this.#printable ? callable : undefined };
    this.#functions.push(encoded);
    this.#bySize.set(code.length, [...sameSize, encoded]);
    return index;
  }

  typeIndex(type: FunctionType): number {
    const known = this.#types.findIndex((other) => isSameType(other, type));
    return known === -1 ? this.#types.push(type) - 1 : known;
  }

  globalIndex(global: Global): number {
    const index = this.#globalIndices.get(global);
    if (index === undefined) throw new Error(`internal: there is no global ${global.name}`);
    return index;
  }
}

function isDefinition(callable: Callable): callable is FunctionDefinition {
  return "body" in callable;
}

function isSameType(a: FunctionType, b: FunctionType): boolean {
  const isSameList =
    a.parameters.length === b.parameters.length && a.parameters.every((type, i) => type === b.parameters[i]);
  return isSameList && a.result === b.result;
}

function haveEqualBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
