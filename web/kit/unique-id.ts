import { useState } from "preact/hooks";

let count = 0;

/** An id that no other element of the page has. Preact's `useId` counts in each figure anew, since each is a root of its own. */
export function useUniqueId(): string {
  return useState(() => `unique-${++count}`)[0];
}
