import { speaks } from "../ranks/ranks.ts";
import { printable } from "./printable.ts";

/** Writes lines to standard output, whatever names from files they have in them. Of several processes one does. */
export function print(...lines: readonly string[]): void {
  if (!speaks) return;
  process.stdout.write(lines.map((line) => `${printable(line)}\n`).join(""));
}

/** Writes a text whose line breaks are its own, such as a table or JSON. */
export function printText(text: string): void {
  print(...text.split("\n"));
}

/** Writes a line to standard error, where output may be a file of numbers. */
export function complain(line: string): void {
  process.stderr.write(`${printable(line)}\n`);
}
