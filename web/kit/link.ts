import type { Signal } from "@preact/signals";

/** What a setting of a figure may be, and how it is written into a link. */
export interface Kind<Value> {
  /** @returns undefined for what the setting cannot be */
  read(text: string): Value | undefined;
  /** @returns undefined for what no link can hold, as a picture of the reader's own */
  write(value: Value): string | undefined;
}

/** A number from `min` to `max`, a whole number of steps above `min`. */
export function numberWithin(min: number, max: number, step = 1): Kind<number> {
  const isOne = (value: number): boolean => value >= min && value <= max && Number.isInteger((value - min) / step);
  return {
    read: (text) => (/^-?\d{1,15}(\.\d{1,6})?$/.test(text) && isOne(Number(text)) ? Number(text) : undefined),
    write: String,
  };
}

export function oneOf<const Value extends string | number>(values: readonly Value[]): Kind<Value> {
  return { read: (text) => values.find((value) => String(value) === text), write: String };
}

export const yesOrNo: Kind<boolean> = {
  read: (text) => (text === "yes" ? true : text === "no" ? false : undefined),
  write: (value) => (value ? "yes" : "no"),
};

/**
 * The settings of a figure as a link to it: `page.html?seed=4&t=120#figure-guess`. A page opened by such an address has them
 * in the figure that its fragment names; what the figure cannot be is left as it is.
 */
export class FigureLink {
  readonly #address: URL;
  readonly #given: URLSearchParams;
  readonly #settings = new Map<string, () => string | undefined>();

  /**
   * @param address of the page
   * @param anchor the id of the figure's place there
   * @param isFollowed false for a figure that starts anew, whatever the address says
   */
  constructor(address: string, anchor: string, isFollowed = true) {
    const url = new URL(address);
    this.#given = new URLSearchParams(isFollowed && url.hash === `#${anchor}` ? url.search : "");
    url.search = "";
    url.hash = anchor;
    this.#address = url;
  }

  /** Gives a setting the value that the page's address has for it, if that is one, and puts it into the link from then on. */
  bind<Value>(name: string, setting: Signal<Value>, kind: Kind<Value>): void {
    const text = this.#given.get(name);
    const value = text === null ? undefined : kind.read(text);
    if (value !== undefined) setting.value = value;
    this.#settings.set(name, () => kind.write(setting.peek()));
  }

  /** The link, with the settings as they are now. */
  get address(): string {
    const url = new URL(this.#address);
    for (const [name, write] of this.#settings) {
      const text = write();
      if (text !== undefined) url.searchParams.set(name, text);
    }
    return url.href;
  }
}
