import { escapeHtml } from "./highlight.ts";
import { relativeAddress } from "./pages.ts";
import type { Section } from "./pages.ts";

/** A row of the navigation. */
export interface Entry {
  readonly path: string;
  readonly title: string;
}

export interface PageContent {
  readonly path: string;
  readonly title: string;
  readonly kind: "start" | "part" | "reference";
  readonly html: string;
  readonly sections: readonly Section[];
}

export interface Navigation {
  readonly start: Entry;
  readonly parts: readonly Entry[];
  readonly guides: readonly Entry[];
  readonly api: readonly Entry[];
}

/** The file that a page's script is, by the name that the plugin knows. */
export const SCRIPT = "/@article/main.ts";

const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E%3Cpath d='M1 1h2v2H1zM5 1h2v2H5zM3 3h2v2H3zM1 5h2v2H1zM5 5h2v2H5z' fill='%23b4532a'/%3E%3C/svg%3E";

/** A whole page. It reads well without its script, which brings figures and cells to life. */
export function pageHtml(page: PageContent, navigation: Navigation): string {
  const { path, title, kind, html } = page;
  const { start, parts } = navigation;
  const link = (entry: Entry, text: string, attributes = ""): string =>
    `<a href="${relativeAddress(path, entry.path)}"${attributes}>${escapeHtml(text)}</a>`;
  const fullTitle = kind === "start" ? title : `${title} · ${start.title}`;
  return `<!doctype html>
<html lang="en" data-root="${"../".repeat(path.split("/").length - 1) || "./"}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(fullTitle)}</title>
<link rel="icon" href="${ICON}">
<script type="module" src="${SCRIPT}"></script>
</head>
<body class="${kind}">
<a class="skip" href="#text">Skip to the text</a>
<header>${link(start, "unnoise", ` class="home"`)}<a class="to-contents" href="#contents">Contents</a></header>
<main id="text">
${html}
${onward(path, [start, ...parts], link)}
</main>
${contents(page, navigation, link)}
</body>
</html>
`;
}

type Link = (entry: Entry, text: string, attributes?: string) => string;

/** From each part to the one before and after it. */
function onward(path: string, sequence: readonly Entry[], link: Link): string {
  const place = sequence.findIndex((entry) => entry.path === path);
  if (place < 0) return "";
  const [before, after] = [sequence[place - 1], sequence.at(place + 1)];
  const previous = before === undefined ? "" : link(before, before.title, ` rel="prev"`);
  const next = after === undefined ? "" : link(after, after.title, ` rel="next"`);
  return `<nav class="onward" aria-label="Parts">${previous}${next}</nav>`;
}

function contents(page: PageContent, { start, parts, guides, api }: Navigation, link: Link): string {
  const row = (entry: Entry): string => {
    const isHere = entry.path === page.path;
    const sections = page.sections.map(({ id, title }) => `<li><a href="#${id}">${escapeHtml(title)}</a></li>`);
    const inner = isHere && sections.length > 0 ? `<ol class="sections">${sections.join("")}</ol>` : "";
    return `<li>${link(entry, entry.title, isHere ? ` aria-current="page"` : "")}${inner}</li>`;
  };
  const more = (title: string, entries: readonly Entry[]): string => {
    const isOpen = entries.some(({ path }) => path === page.path);
    return `<details${isOpen ? " open" : ""}><summary>${title}</summary><ul>${entries.map(row).join("")}</ul></details>`;
  };
  return `<nav id="contents" aria-label="Contents">
<ul>${[start, ...parts].map(row).join("")}</ul>
${more("Guides", guides)}
${more("Reference", api)}
<div id="settings"></div>
</nav>`;
}
