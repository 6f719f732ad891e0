import { readDeclarations, readExports } from "./declarations.ts";
import type { Declaration, Export } from "./declarations.ts";
import { escapeHtml, highlight } from "./highlight.ts";
import type { AddressOf } from "./highlight.ts";
import { renderComment } from "./markdown.ts";
import { relativeAddress } from "./pages.ts";
import type { Section } from "./pages.ts";

/** A page of the reference: the exports under one heading of the package's index. */
export interface ApiPage {
  readonly path: string;
  readonly title: string;
  readonly exports: readonly Export[];
}

/** The reference, by the exports' names alone; what they declare is read when a page is rendered. */
export class ApiReference {
  readonly pages: readonly ApiPage[];
  readonly #places: ReadonlyMap<string, string>;
  readonly #exports: readonly Export[];
  #declarations: Promise<ReadonlyMap<string, Declaration>> | undefined;

  private constructor(exports: readonly Export[]) {
    this.#exports = exports;
    const groups = [...new Set(exports.map(({ group }) => group))];
    this.pages = groups.map((title) => ({
      path: `api/${title.toLowerCase().replaceAll(/\W+/g, "-")}.html`,
      title,
      exports: exports.filter(({ group }) => group === title),
    }));
    this.#places = new Map(this.pages.flatMap(({ path, exports }) => exports.map(({ name }) => [name, path])));
  }

  static async read(): Promise<ApiReference> {
    return new ApiReference(await readExports());
  }

  /** Addresses of exported names, for a page at a path. */
  addressesFrom(from: string): AddressOf {
    return (name) => {
      const path = this.#places.get(name);
      if (path === undefined) return undefined;
      return path === from ? `#${name}` : `${relativeAddress(from, path)}#${name}`;
    };
  }

  /** The sections and the HTML of a page of the reference. */
  async render({
    path,
    title,
    exports,
  }: ApiPage): Promise<{ readonly html: string; readonly sections: readonly Section[] }> {
    this.#declarations ??= readDeclarations(this.#exports);
    const declarations = await this.#declarations;
    const addressOf = this.addressesFrom(path);
    const entries = exports.map((row) => renderEntry(row, declarations.get(row.name), path, addressOf));
    const html = `<h1>${escapeHtml(title)}</h1>\n${entries.join("\n")}`;
    return { html, sections: exports.map(({ name }) => ({ id: name, title: name })) };
  }
}

function renderEntry(row: Export, declaration: Declaration | undefined, path: string, addressOf: AddressOf): string {
  const { comment, code } = declaration ?? { comment: "", code: "" };
  const others: AddressOf = (name) => (name === row.name ? undefined : addressOf(name));
  const text = renderComment(toMarkdown(comment), { source: path, path, kind: "reference" }, others);
  const note = row.isForNode ? ` <small>in Node</small>` : "";
  return `<section class="api"><h2 id="${row.name}"><code>${row.name}</code>${note}</h2>
${text}<pre class="code" tabindex="0"><code>${highlight(code, others)}</code></pre></section>`;
}

/** The tags of a comment as paragraphs. */
function toMarkdown(comment: string): string {
  return comment
    .replaceAll(/\{@link (\S+?)\}/g, "`$1`")
    .replaceAll(/^@example\n?([^]*?)(?=^@|$(?![^]))/gm, (_, code: string) => `\n\`\`\`ts\n${code.trim()}\n\`\`\`\n`)
    .replaceAll(/^@param (\S+)/gm, "\n- `$1`")
    .replaceAll(/^@returns/gm, "\n_Returns_")
    .replaceAll(/^@throws/gm, "\n_Throws_");
}
