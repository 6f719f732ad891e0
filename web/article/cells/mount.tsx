import { render } from "preact";
import { CellView } from "./cell-view.tsx";
import { Notebook } from "./notebook.ts";

/** Makes the cells of a page editable, and lets them run: `<div class="cell"><pre class="code">...<pre class="printed">`. */
export function mountCells(): void {
  const places = [...document.querySelectorAll<HTMLElement>(".cell")];
  const served = places.map((place) => ({
    html: place.querySelector("pre.code")?.innerHTML ?? "",
    code: place.querySelector("pre.code")?.textContent ?? "",
    printed: place.querySelector("pre.printed")?.textContent ?? "",
  }));
  const notebook = new Notebook(served);
  places.forEach((place, i) => {
    place.replaceChildren();
    render(<CellView cell={notebook.cells[i]} notebook={notebook} html={served[i].html} />, place);
  });
}
