import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Editor } from "./editor.ts";
import type { Cell, Notebook } from "./notebook.ts";
import { Outputs } from "./outputs.tsx";

interface CellProps {
  readonly cell: Cell;
  readonly notebook: Notebook;
  /** The code as the page was served, coloured. */
  readonly html: string;
}

/** A cell: its code, which becomes an editor when it is focused, its buttons, and what it puts out. */
export function CellView({ cell, notebook, html }: CellProps) {
  const { number, state, code, original } = cell;
  const isBusy = useComputed(() => state.value === "running" || state.value === "waiting");
  const editor = useRef<Editor>(undefined);
  const setCode = (code: string): void => {
    cell.code.value = code;
    editor.current?.setCode(code);
  };
  return (
    <>
      <Code cell={cell} notebook={notebook} html={html} editor={editor} />
      <div class="cell-bar">
        {isBusy.value ? (
          <button type="button" onClick={() => notebook.stop()}>
            Stop
          </button>
        ) : (
          <button type="button" onClick={() => void notebook.run(number)}>
            Run
          </button>
        )}
        {code.value !== original && (
          <button type="button" class="quiet" onClick={() => setCode(original)}>
            Undo all edits
          </button>
        )}
        <span class="cell-status" role="status">
          <Status cell={cell} />
        </span>
      </div>
      {cell.fault.value !== "" && (
        <p class="fault" role="alert">
          {cell.fault.value}
        </p>
      )}
      <Outputs cell={cell} />
    </>
  );
}

function Status({ cell }: { readonly cell: Cell }) {
  const { state, seconds, code, original } = cell;
  switch (state.value) {
    case "waiting":
      return "waits for the cells before it";
    case "running":
      return "running …";
    case "done":
      return `ran in ${seconds.value < 10 ? seconds.value.toFixed(1) : seconds.value.toFixed(0)} s`;
    case "fault":
      return "";
    case "idle":
      return code.value === original ? "" : "edited";
  }
}

interface CodeProps extends CellProps {
  readonly editor: { current: Editor | undefined };
}

function Code({ cell, notebook, html, editor }: CodeProps) {
  const place = useRef<HTMLDivElement>(null);
  const isEditing = useSignal(false);
  const label = `Code of cell ${cell.number}`;
  const edit = async (): Promise<void> => {
    const { createEditor } = await import("./editor.ts");
    if (place.current === null || editor.current !== undefined) return;
    editor.current = createEditor(place.current, {
      code: cell.code.value,
      label,
      onChange: (code) => (cell.code.value = code),
      onRun: () => void notebook.run(cell.number),
    });
    isEditing.value = true;
  };
  const pressed = useRef<{ readonly x: number; readonly y: number }>(undefined);
  // Once the editor is in sight, which it must be to have the focus.
  useEffect(() => {
    if (isEditing.value) editor.current?.focus(pressed.current);
  }, [isEditing.value]);
  return (
    <>
      <div ref={place} class="code editor" hidden={!isEditing.value} />
      {!isEditing.value && (
        <pre
          class="code"
          tabIndex={0}
          role="textbox"
          aria-multiline
          aria-label={label}
          onPointerDown={({ clientX, clientY }) => (pressed.current = { x: clientX, y: clientY })}
          onFocus={() => void edit()}
          dangerouslySetInnerHTML={{ __html: html }}
        />
      )}
    </>
  );
}
