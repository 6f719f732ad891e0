import { renderToString } from "katex";
import type { MarkdownIt, StateBlock, StateInline } from "markdown-it";

/** Formulas between dollars, inline and on lines of their own, as Git hosts show them; as HTML and MathML. */
export function withMath(markdown: MarkdownIt): void {
  markdown.inline.ruler.before("escape", "math", inlineMath);
  markdown.block.ruler.before("paragraph", "display_math", displayMath, { alt: ["paragraph", "blockquote", "list"] });
  markdown.renderer.rules.math = (tokens, at) => {
    const { content, info: after } = tokens[at];
    const formula = render(content, false) + after;
    return content.length > SHORT ? formula : `<span class="whole">${formula}</span>`;
  };
  markdown.renderer.rules.display_math = (tokens, at) =>
    `<div class="formula">${render(tokens[at].content, true)}</div>\n`;
}

/** Characters of a formula that fits into a line of the narrowest window, and is not broken. */
const SHORT = 32;

function render(formula: string, displayMode: boolean): string {
  return renderToString(formula, { displayMode, output: "htmlAndMathml", throwOnError: true, strict: "error" });
}

/** `$a + b$`: no space inside the dollars, no digit after them, so that prices stay prices. Punctuation stays with it. */
function inlineMath(state: StateInline, silent: boolean): boolean {
  const match = /^\$(?![\s$])((?:\\.|[^\\$])+?)(?<!\s)\$(?!\d)([,.;:)]*)/.exec(
    state.src.slice(state.pos, state.posMax),
  );
  if (match === null) return false;
  if (!silent) Object.assign(state.push("math", "math", 0), { content: match[1], info: match[2] });
  state.pos += match[0].length;
  return true;
}

/** From a line that starts with two dollars to one that ends with them. */
function displayMath(state: StateBlock, start: number, end: number, silent: boolean): boolean {
  const lineAt = (line: number): string => state.src.slice(state.bMarks[line] + state.tShift[line], state.eMarks[line]);
  if (!lineAt(start).startsWith("$$")) return false;
  let last = start;
  const isClosed = (line: number): boolean =>
    lineAt(line).trimEnd().endsWith("$$") && (line > start || lineAt(line).trim().length > 2);
  while (last < end && !isClosed(last)) last++;
  if (last === end) return false;
  if (silent) return true;
  const lines = Array.from({ length: last - start + 1 }, (_, i) => lineAt(start + i)).join("\n");
  const token = state.push("display_math", "math", 0);
  token.block = true;
  token.content = lines.trim().slice(2, -2);
  token.map = [start, last + 1];
  state.line = last + 1;
  return true;
}
