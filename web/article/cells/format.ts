/** More elements than this are not shown. */
const MOST = 100;

/** What `console.log` shows of its arguments: texts as they are, other values much as Node shows them. */
export function formatLine(values: readonly unknown[]): string {
  return values.map((value) => (typeof value === "string" ? value : format(value, 0))).join(" ");
}

function format(value: unknown, depth: number): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return `[Function: ${value.name}]`;
  if (typeof value !== "object" || value === null) return typeof value === "bigint" ? `${value}n` : String(value);
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (depth > 2) return Array.isArray(value) ? "[Array]" : "[Object]";
  if (value instanceof Map || value instanceof Set) return `${value.constructor.name} ${format([...value], depth)}`;
  const { constructor } = value as { readonly constructor?: { readonly name: string } };
  const name =
    constructor === undefined || ["Object", "Array"].includes(constructor.name) ? "" : `${constructor.name} `;
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && "length" in value)) {
    const all = value as ArrayLike<unknown>;
    const shown = Array.from({ length: Math.min(all.length, MOST) }, (_, i) => format(all[i], depth + 1));
    if (all.length > MOST) shown.push(`... ${all.length - MOST} more`);
    return `${name}[ ${shown.join(", ")} ]`;
  }
  const entries = Object.entries(value).map(([key, inner]) => `${key}: ${format(inner, depth + 1)}`);
  return entries.length === 0 ? `${name}{}` : `${name}{ ${entries.join(", ")} }`;
}
