/**
 * JSON as Python writes it: with `Infinity` and `-Infinity`, which JSON has not, and which the configs of some of diffusers'
 * schedulers hold. NaN is refused.
 *
 * @throws SyntaxError, if it is none
 */
export function parsePythonJson(text: string): unknown {
  // A number beyond the largest there is means the same and is JSON.
  const json = text.replaceAll(/"(?:[^"\\]|\\.)*"|\bInfinity\b/g, (found) => (found === "Infinity" ? "1e999" : found));
  return JSON.parse(json);
}

/** The same the other way, as `json.dumps(value, indent=2, sort_keys=True)`: keys in the order of their characters. */
export function formatPythonJson(value: unknown, indent = ""): string {
  const deeper = `${indent}  `;
  const block = (open: string, close: string, parts: readonly string[]): string =>
    parts.length === 0 ? open + close : `${open}\n${parts.map((part) => deeper + part).join(",\n")}\n${indent}${close}`;
  if (Array.isArray(value)) {
    return block(
      "[",
      "]",
      value.map((entry) => formatPythonJson(entry, deeper)),
    );
  }
  if (typeof value === "object" && value !== null) {
    const known = Object.entries(value).filter(([, entry]) => entry !== undefined);
    const entries = known.toSorted(([a], [b]) => (a < b ? -1 : 1));
    const parts = entries.map(([name, entry]) => `${JSON.stringify(name)}: ${formatPythonJson(entry, deeper)}`);
    return block("{", "}", parts);
  }
  if (value === Infinity || value === -Infinity) return String(value);
  return JSON.stringify(value) ?? "null";
}
