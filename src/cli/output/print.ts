/** Writes a line, or several of them, to standard output. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
