import { existsSync, readdirSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";

/** Markdown files, and the root of the site: addresses in the site are those of files here. */
export const docs = fileURLToPath(new URL("../../../docs", import.meta.url));

/** A page that is made of a Markdown file. */
export interface TextPage {
  /** Within docs/. */
  readonly source: string;
  /** Within the site. */
  readonly path: string;
  readonly kind: "start" | "part" | "reference";
}

/** A place in a page that the navigation leads to. */
export interface Section {
  readonly id: string;
  readonly title: string;
}

/** The start, the parts of the tutorial in their order, and the documents that they refer to. */
export function textPages(): TextPage[] {
  const parts = markdownIn("tutorial").map((source) => ({ source, path: pathOf(source), kind: "part" as const }));
  const references = markdownIn("").filter((source) => source !== START);
  return [
    { source: START, path: pathOf(START), kind: "start" },
    ...parts,
    ...references.map((source) => ({ source, path: pathOf(source), kind: "reference" as const })),
  ];
}

const START = "tutorial.md";

function pathOf(source: string): string {
  return source === START ? "index.html" : source.replace(/\.md$/, ".html");
}

function markdownIn(folder: string): string[] {
  const names = readdirSync(posix.join(docs, folder)).filter((name) => name.endsWith(".md"));
  return names.toSorted().map((name) => posix.join(folder, name));
}

/** How one page of the site is addressed from another, or from a page at its root. */
export function relativeAddress(from: string, to: string): string {
  const address = posix.relative(posix.dirname(from), to);
  return address === "" ? posix.basename(to) : address;
}

/**
 * What a link in a Markdown file means in the site.
 *
 * @returns undefined if it leads to a file of the repository that is no page
 */
export function linkTarget(page: TextPage, href: string): string | undefined {
  if (/^(\w+:|#)/.test(href)) return href;
  const [file, anchor] = href.split("#");
  const source = posix.join(posix.dirname(page.source), file);
  if (!source.endsWith(".md") || !existsSync(posix.join(docs, source)) || source.startsWith("..")) return undefined;
  return relativeAddress(page.path, pathOf(source)) + (anchor === undefined ? "" : `#${anchor}`);
}
