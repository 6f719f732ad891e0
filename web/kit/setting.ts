import { signal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import { useState } from "preact/hooks";
import type { FigureContext } from "./figure.ts";
import type { FigureLink, Kind } from "./link.ts";

/** A setting of a figure that links to it hold: what the page's address says, or else the first value. */
export function useSetting<Value>(
  { link }: FigureContext,
  name: string,
  first: Value,
  kind: Kind<Value>,
): Signal<Value> {
  return useState(() => {
    const setting = signal(first);
    link.bind(name, setting, kind);
    return setting;
  })[0];
}

/** The same for settings that live longer than a figure's body: `bind` puts them into the link when that is mounted. */
export function useLinked({ link }: FigureContext, bind: (link: FigureLink) => void): void {
  useState(() => bind(link));
}
