import { readFile } from "node:fs/promises";
import { posix } from "node:path";
import MarkdownIt from "markdown-it";
import type { Token } from "markdown-it";
import sharp from "sharp";
import { escapeHtml, highlight } from "./highlight.ts";
import type { AddressOf } from "./highlight.ts";
import { withMath } from "./math.ts";
import { docs, linkTarget } from "./pages.ts";
import type { Section, TextPage } from "./pages.ts";

export interface RenderedText {
  readonly title: string;
  readonly html: string;
  readonly sections: readonly Section[];
}

/** What rendering a file knows and finds out. */
interface Environment {
  readonly page: TextPage;
  readonly addressOf: AddressOf;
  readonly stills: ReadonlyMap<string, Still>;
  cells: number;
}

/** What is known of a picture before it is fetched. */
interface Still {
  readonly width: number;
  readonly height: number;
  /** Of an animation: the last frame, as the address of a PNG. */
  readonly last?: string;
}

const markdown = new MarkdownIt({ html: true }).use(withMath);
const { rules } = markdown.renderer;
/** For comments in the sources, in which a dollar is a dollar. */
const comments = new MarkdownIt();
comments.renderer.rules = rules;

markdown.core.ruler.push("cells", ({ tokens }) => joinPrinted(tokens));
markdown.core.ruler.push("figures", ({ tokens }) => findFigures(tokens));
markdown.core.ruler.push("headings", ({ tokens }) => nameHeadings(tokens));

/** Code that runs is a cell; what it prints stands in the next fence, and becomes part of it. */
function joinPrinted(tokens: Token[]): void {
  for (let at = tokens.length - 1; at > 0; at--) {
    const [before, token] = [tokens[at - 1], tokens[at]];
    if (before.type !== "fence" || before.info !== "ts" || token.type !== "fence" || token.info !== "text") continue;
    before.meta = { printed: token.content };
    tokens.splice(at, 1);
  }
}

const PLACE = /^<!-- figure: ([\w-]+) -->\s*$/;

/** A picture in a paragraph of its own is a figure, and alive if a comment below it says so. */
function findFigures(tokens: Token[]): void {
  for (let at = tokens.length - 3; at >= 0; at--) {
    const [open, inline, close] = tokens.slice(at, at + 3);
    const image = inline.children?.length === 1 ? inline.children[0] : undefined;
    if (open.type !== "paragraph_open" || image?.type !== "image") continue;
    const place = tokens.at(at + 3);
    const name = place?.type === "html_block" ? PLACE.exec(place.content)?.[1] : undefined;
    if (name !== undefined) tokens.splice(at + 3, 1);
    open.type = "figure_open";
    open.meta = { name, caption: image.content };
    close.type = "figure_close";
    close.meta = open.meta;
  }
}

function nameHeadings(tokens: readonly Token[]): void {
  tokens.forEach((token, at) => {
    if (token.type === "heading_open") token.attrSet("id", slugOf(tokens[at + 1].content));
  });
}

/** As Git hosts name headings. */
function slugOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, "")
    .trim()
    .replaceAll(/\s/g, "-");
}

rules.fence = (tokens, at, _, env) => {
  const { info, content, meta } = tokens[at] as Token & { readonly meta: { readonly printed: string } | null };
  const environment = env as unknown as Environment;
  if (info !== "ts") return `<pre class="code" tabindex="0"><code>${escapeHtml(content)}</code></pre>\n`;
  if (environment.page.kind !== "part") {
    return `<pre class="code" tabindex="0"><code>${highlight(content, environment.addressOf)}</code></pre>\n`;
  }
  const number = ++environment.cells;
  const printed = meta === null ? "" : `<pre class="printed" tabindex="0">${escapeHtml(meta.printed)}</pre>`;
  return `<div class="cell" data-cell="${number}"><pre class="code" tabindex="0"><code>${highlight(content)}</code></pre>${printed}</div>\n`;
};

rules.code_inline = (tokens, at, _, env) => {
  const { content } = tokens[at];
  const name = /^(?:new )?([\w$]+)/.exec(content)?.[1] ?? "";
  const address = (env as unknown as Environment).addressOf(name);
  const code = `<code>${escapeHtml(content)}</code>`;
  return address === undefined ? code : `<a class="name" href="${address}">${code}</a>`;
};

rules.figure_open = (tokens, at) => {
  const { name } = tokens[at].meta as { readonly name: string | undefined };
  return name === undefined ? `<figure>` : `<figure id="figure-${name}" data-figure="${name}">`;
};

rules.figure_close = (tokens, at) => {
  const { caption } = tokens[at].meta as { readonly caption: string };
  return `<figcaption>${escapeHtml(caption)}</figcaption></figure>\n`;
};

rules.image = (tokens, at, _, env) => {
  const alt = escapeHtml(tokens[at].content);
  const source = String(tokens[at].attrGet("src"));
  const { width, height, last } = (env as unknown as Environment).stills.get(source) ?? { width: 0, height: 0 };
  const size = `width="${width}" height="${height}" loading="lazy"`;
  const kind = source.endsWith(".svg") ? "still drawing" : "still";
  if (last === undefined) return `<img class="${kind}" src="${source}" alt="${alt}" ${size}>`;
  // Nothing moves unasked.
  const motion = `<details class="motion"><summary>Play</summary><img src="${source}" alt="${alt}" ${size}></details>`;
  return `<div class="animated"><img class="still" src="${last}" alt="${alt}" ${size}>${motion}</div>`;
};

rules.table_open = () => `<div class="table" tabindex="0" role="region" aria-label="Table"><table>\n`;
rules.table_close = () => `</table></div>\n`;

/** Links to files that are no pages are only their text. */
rules.link_open = (tokens, at, options, env, self) => {
  const target = linkTarget((env as unknown as Environment).page, String(tokens[at].attrGet("href")));
  if (target === undefined) {
    tokens[at].tag = "span";
    const close = tokens.slice(at).find(({ type }) => type === "link_close");
    if (close !== undefined) close.tag = "span";
    tokens[at].attrs = null;
  } else tokens[at].attrSet("href", target);
  return self.renderToken(tokens, at, options);
};

/** The pictures that a text shows: how large they are, so that the text does not move when they arrive. */
async function stillsOf(page: TextPage, text: string): Promise<Map<string, Still>> {
  const sources = Array.from(text.matchAll(/!\[[^\]]*\]\(([^)]+)\)/g), ([, source]) => source);
  const folder = posix.join(docs, posix.dirname(page.source));
  const rows = sources.map(async (source) => [source, await stillOf(posix.join(folder, source))] as const);
  return new Map(await Promise.all(rows));
}

async function stillOf(path: string): Promise<Still> {
  const { width, height, pageHeight, pages = 1 } = await sharp(path).metadata();
  if (pages === 1) return { width, height };
  const frame = await sharp(path, { page: pages - 1 })
    .png({ palette: true })
    .toBuffer();
  return { width, height: pageHeight ?? height, last: `data:image/png;base64,${frame.toString("base64")}` };
}

/** @param addressOf where names that the package exports are explained, seen from this page */
export async function renderText(page: TextPage, addressOf: AddressOf): Promise<RenderedText> {
  const text = await readFile(posix.join(docs, page.source), "utf8");
  const env: Environment = { page, addressOf, stills: await stillsOf(page, text), cells: 0 };
  const tokens = markdown.parse(text, env as never);
  const headings = tokens.flatMap((token, at) =>
    token.type === "heading_open"
      ? [
          {
            tag: token.tag,
            id: String(token.attrGet("id")),
            title: markdown.renderer.renderInlineAsText(tokens[at + 1].children ?? [], markdown.options, env as never),
          },
        ]
      : [],
  );
  return {
    title: headings[0].title,
    sections: headings.filter(({ tag }) => tag === "h2"),
    html: markdown.renderer.render(tokens, markdown.options, env as never),
  };
}

/** A comment in the sources, which is Markdown without figures. */
export function renderComment(text: string, page: TextPage, addressOf: AddressOf): string {
  const env: Environment = { page, addressOf, stills: new Map(), cells: 0 };
  return comments.render(text, env as never);
}
