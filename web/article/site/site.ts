import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ApiReference } from "./api.ts";
import { renderText } from "./markdown.ts";
import { docs, textPages } from "./pages.ts";
import type { TextPage } from "./pages.ts";
import { pageHtml } from "./template.ts";
import type { Entry, Navigation } from "./template.ts";

/** All pages by their paths, rendered when they are asked for. */
export class Site {
  readonly #texts: ReadonlyMap<string, TextPage>;
  readonly #api: ApiReference;
  readonly #navigation: Navigation;

  private constructor(texts: readonly TextPage[], api: ApiReference, navigation: Navigation) {
    this.#texts = new Map(texts.map((page) => [page.path, page]));
    this.#api = api;
    this.#navigation = navigation;
  }

  /** @param known the reference, where it has been read before */
  static async open(known?: ApiReference): Promise<Site> {
    const texts = textPages();
    const entries = await Promise.all(texts.map(async (page) => ({ ...page, title: await titleOf(page) })));
    const ofKind = (kind: TextPage["kind"]): Entry[] => entries.filter((entry) => entry.kind === kind);
    const api = known ?? (await ApiReference.read());
    const navigation = {
      start: ofKind("start")[0],
      parts: ofKind("part"),
      guides: ofKind("reference"),
      api: api.pages,
    };
    return new Site(texts, api, navigation);
  }

  get paths(): string[] {
    return [...this.#texts.keys(), ...this.#api.pages.map(({ path }) => path)];
  }

  /** @returns undefined if there is no such page */
  async render(path: string): Promise<string | undefined> {
    const text = this.#texts.get(path);
    if (text !== undefined) {
      const rendered = await renderText(text, this.#api.addressesFrom(path));
      return pageHtml({ ...text, ...rendered }, this.#navigation);
    }
    const page = this.#api.pages.find((candidate) => candidate.path === path);
    if (page === undefined) return undefined;
    return pageHtml({ ...page, kind: "reference", ...(await this.#api.render(page)) }, this.#navigation);
  }
}

async function titleOf({ source }: TextPage): Promise<string> {
  const text = await readFile(join(docs, source), "utf8");
  return /^# (.*)$/m.exec(text)?.[1] ?? source;
}
