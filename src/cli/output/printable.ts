/** Control characters, and those that turn the direction of what follows: a name may have them, a terminal obeys them. */
const OBEYED = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/**
 * A line as a terminal shows it and does nothing else: what names from files have of control characters and line breaks
 * is written as JSON has it, `\n` or `\u001b`.
 */
export function printable(line: string): string {
  return line.replaceAll(OBEYED, (character) => {
    const known = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[character];
    return known ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
