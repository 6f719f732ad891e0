/** The element of an id, which the page has. */
export function element<E extends Element>(id: string, kind: new () => E): E {
  const found = document.querySelector(`#${id}`);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return found;
}

export const button = (id: string): HTMLButtonElement => element(id, HTMLButtonElement);
export const canvas = (id: string): HTMLCanvasElement => element(id, HTMLCanvasElement);
export const input = (id: string): HTMLInputElement => element(id, HTMLInputElement);
export const select = (id: string): HTMLSelectElement => element(id, HTMLSelectElement);

/** Tells in one line. */
export function say(id: string, text: string): void {
  element(id, HTMLElement).textContent = text;
}

/** Shows how far work has come. */
export function progress(id: string, step: number, steps: number): void {
  Object.assign(element(id, HTMLProgressElement), { value: step, max: steps, hidden: false });
}

export function setOptions(list: HTMLSelectElement, names: readonly string[]): void {
  list.replaceChildren(...names.map((name, value) => new Option(name, String(value))));
}
