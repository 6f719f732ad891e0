import { ByteWriter } from "./byte-writer.ts";
import { VALUE_TYPES } from "./encode-function.ts";
import type { FunctionType, ValueType } from "./instruction.ts";
import type { Import, ModuleBuilder } from "./module-builder.ts";

const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]; // "\0asm", version 1
const SECTIONS = { custom: 0, type: 1, import: 2, function: 3, table: 4, global: 6, export: 7, element: 9, code: 10 };
/** What is imported or exported. */
const KINDS = { function: 0, memory: 2, global: 3 };
const FUNCTION_TYPE = 0x60;
const FUNCTION_REFERENCE = 0x70;
const MUTABLE = 1;
const I32_CONST = 0x41;
const END = 0x0b;
/** The part of the section `name` that names functions. */
const FUNCTION_NAMES = 1;

/**
 * The binary form of a module.
 *
 * @param withNames whether functions keep their names, which engines show in profiles
 */
export function encodeModule(module: ModuleBuilder, { withNames = false } = {}): Uint8Array<ArrayBuffer> {
  const { types, imports, functions, table, globals, exports } = module;
  const out = new ByteWriter();
  out.bytes(HEADER);
  const section = (id: number, write: (to: ByteWriter) => void): void => {
    const content = new ByteWriter();
    write(content);
    out.byte(id);
    out.sized(content.finish());
  };
  const list = <T>(id: number, items: readonly T[], write: (to: ByteWriter, item: T) => void): void => {
    if (items.length > 0) section(id, (to) => to.list(items, (item) => write(to, item)));
  };
  list(SECTIONS.type, types, writeType);
  list(SECTIONS.import, imports, (to, wanted) => writeImport(to, wanted, module));
  list(SECTIONS.function, functions, (to, { type }) => to.unsigned(module.typeIndex(type)));
  list(SECTIONS.table, [table], (to, { length }) => {
    to.bytes([FUNCTION_REFERENCE, 0]); // no maximum
    to.unsigned(length);
  });
  list(SECTIONS.global, globals, (to, { global, start }) => {
    to.bytes([VALUE_TYPES[global.type], MUTABLE, I32_CONST]);
    to.signed(start);
    to.byte(END);
  });
  list(SECTIONS.export, exports, (to, { name, callable }) => {
    to.text(name);
    to.byte(KINDS.function);
    to.unsigned(module.functionIndex(callable));
  });
  list(SECTIONS.element, [table], (to, indices) => {
    to.bytes([0, I32_CONST, 0, END]); // from place 0 of the only table on
    to.list(indices, (index) => to.unsigned(index));
  });
  list(SECTIONS.code, functions, (to, { code }) => to.sized(code));
  if (withNames) section(SECTIONS.custom, (to) => writeNames(to, module));
  return out.finish();
}

function writeType(to: ByteWriter, { parameters, result }: FunctionType): void {
  const writeAll = (types: readonly ValueType[]): void => to.list(types, (type) => to.byte(VALUE_TYPES[type]));
  to.byte(FUNCTION_TYPE);
  writeAll(parameters);
  writeAll(result === undefined ? [] : [result]);
}

function writeImport(to: ByteWriter, wanted: Import, module: ModuleBuilder): void {
  to.text(wanted.module);
  to.text(wanted.field);
  to.byte(KINDS[wanted.kind]);
  switch (wanted.kind) {
    case "memory": {
      const { minimum, maximum, shared } = wanted.memory;
      to.byte(shared ? 3 : 1); // with a maximum, shared or not
      to.unsigned(minimum);
      to.unsigned(maximum);
      break;
    }
    case "function":
      to.unsigned(module.typeIndex(wanted.callable.type));
      break;
    case "global":
      to.bytes([VALUE_TYPES[wanted.global.type], MUTABLE]);
  }
}

function writeNames(to: ByteWriter, { functions }: ModuleBuilder): void {
  const names = new ByteWriter();
  names.list(functions, ({ name, index }) => {
    names.unsigned(index);
    names.text(name);
  });
  to.text("name");
  to.byte(FUNCTION_NAMES);
  to.sized(names.finish());
}
