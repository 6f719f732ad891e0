import type { FunctionDefinition } from "./function-builder.ts";
import type { Body, FunctionType, Immediate, Instruction, Local, Operand, ValueType } from "./instruction.ts";
import type { Import, ModuleBuilder } from "./module-builder.ts";

/** A module in WebAssembly's text format, to be read by people; assembled, it is the binary of encodeModule. */
export function printModule(module: ModuleBuilder): string {
  const { types, imports, functions, table, globals, exports } = module;
  const name = (index: number): string => `$${functions[index - functions[0].index].name}`;
  const lines = [
    ...types.map((type) => `(type (func${signature(type)}))`),
    ...imports.map((wanted) => printImport(wanted, module)),
    ...globals.map(({ global, start }) => `(global $${global.name} (mut ${global.type}) (i32.const ${start}))`),
    `(table ${table.length} funcref)`,
    `(elem (i32.const 0) ${table.map(name).join(" ")})`,
    ...exports.map(({ name: as, callable }) => `(export "${as}" (func ${name(module.functionIndex(callable))}))`),
    ...functions.map(({ definition }) => {
      if (!definition) throw new Error("internal: the module is not printable");
      return new FunctionPrinter(definition, module, name).print();
    }),
  ];
  return `(module\n${lines.join("\n")})\n`;
}

function signature({ parameters, result }: FunctionType): string {
  return parameters.map((type) => ` (param ${type})`).join("") + (result ? ` (result ${result})` : "");
}

function printImport(wanted: Import, module: ModuleBuilder): string {
  const from = `(import "${wanted.module}" "${wanted.field}"`;
  switch (wanted.kind) {
    case "memory": {
      const { minimum, maximum, shared } = wanted.memory;
      return `${from} (memory ${minimum} ${maximum}${shared ? " shared" : ""}))`;
    }
    case "function":
      return `${from} (func $${wanted.callable.name} (type ${module.typeIndex(wanted.callable.type)})))`;
    case "global":
      return `${from} (global $${wanted.global.name} (mut ${wanted.global.type})))`;
  }
}

class FunctionPrinter {
  readonly #definition: FunctionDefinition;
  readonly #module: ModuleBuilder;
  readonly #nameOf: (index: number) => string;

  constructor(definition: FunctionDefinition, module: ModuleBuilder, nameOf: (index: number) => string) {
    this.#definition = definition;
    this.#module = module;
    this.#nameOf = nameOf;
  }

  print(): string {
    const { name, type, parameters, locals, body } = this.#definition;
    const declare = (word: string) => (local: Local) => ` (${word} $${local.name} ${local.type})`;
    const result = type.result ? ` (result ${type.result})` : "";
    const typed = `(type ${this.#module.typeIndex(type)})${parameters.map(declare("param")).join("")}${result}`;
    return `(func $${name} ${typed}${locals.map((local) => `\n ${declare("local")(local)}`).join("")}${this.#body(body, type.result, 1)})`;
  }

  /** Each instruction in a line of its own. */
  #body({ instructions, result }: Body, type: ValueType | undefined, depth: number): string {
    const lines = instructions.map((instruction) => this.#instruction(instruction, depth));
    if (type !== undefined && result !== undefined) lines.push(this.#operand(type, result, depth));
    return lines.map((line) => `\n${" ".repeat(depth)}${line}`).join("");
  }

  #operand(type: ValueType, operand: Operand, depth: number): string {
    if (typeof operand === "number") return `(${type}.const ${numberText(type, operand)})`;
    return operand.kind === "local" ? `(local.get $${operand.name})` : this.#instruction(operand, depth);
  }

  /** @param depth of the line that it stands in; only what has a body takes several */
  #instruction(instruction: Instruction, depth: number): string {
    switch (instruction.kind) {
      case "plain": {
        const { form } = instruction;
        const immediates = instruction.immediates.map((immediate) => this.#immediate(immediate)).filter(Boolean);
        const operands = instruction.operands.map((operand, i) => this.#operand(form.takes[i], operand, depth));
        return `(${[form.name, ...immediates, ...operands].join(" ")})`;
      }
      case "if": {
        const { type, condition, consequent, alternate } = instruction;
        const branch = (word: string, body: Body): string =>
          `\n${" ".repeat(depth + 1)}(${word}${this.#body(body, type, depth + 2)})`;
        const result = type ? ` (result ${type})` : "";
        const then = branch("then", consequent);
        const rest = type || alternate.instructions.length > 0 ? branch("else", alternate) : "";
        return `(if${result} ${this.#operand("i32", condition, depth)}${then}${rest})`;
      }
      case "block":
      case "loop":
        return `(${instruction.kind} $${instruction.label.name}${this.#body(instruction.body, undefined, depth + 1)})`;
    }
  }

  /** Nothing where the text format leaves out what the binary has. */
  #immediate(immediate: Immediate): string {
    switch (immediate.kind) {
      case "local":
        return `$${immediate.name}`;
      case "global":
        return `$${immediate.global.name}`;
      case "function": {
        const { callable } = immediate;
        return "body" in callable ? this.#nameOf(this.#module.functionIndex(callable)) : `$${callable.name}`;
      }
      case "signature":
        return `(type ${this.#module.typeIndex(immediate.type)})`;
      case "label":
        return `$${immediate.label.name}`;
      case "address":
        return immediate.offset === 0 ? "" : `offset=${immediate.offset}`;
      case "memory":
        return "";
      case "lanes":
        return immediate.lanes.join(" ");
      case "number":
        return numberText(immediate.type, immediate.value);
      case "vector":
        return [immediate.shape, ...immediate.values.map((value) => numberText(LANE[immediate.shape], value))].join(
          " ",
        );
    }
  }
}

const LANE = { i32x4: "i32", f32x4: "f32" } as const;

/** A literal that the text format reads back exactly. */
function numberText(type: ValueType, value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return Object.is(value, -0) && type.startsWith("f") ? "-0" : String(type === "f32" ? Math.fround(value) : value);
}
