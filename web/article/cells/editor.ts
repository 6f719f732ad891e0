import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { javascript } from "@codemirror/lang-javascript";
import { bracketMatching, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";

export interface EditorOptions {
  readonly code: string;
  readonly label: string;
  readonly onChange: (code: string) => void;
  readonly onRun: () => void;
}

export interface Editor {
  readonly setCode: (code: string) => void;
  readonly focus: (place?: { readonly x: number; readonly y: number }) => void;
}

/** Looks like the code that stands there before it: the page's style sheet has its faces. */
const theme = EditorView.theme({
  "&": { backgroundColor: "transparent" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "inherit", lineHeight: "inherit" },
  ".cm-content": { padding: "0", caretColor: "var(--accent)" },
  ".cm-line": { padding: "0" },
  ".cm-cursor": { borderLeftColor: "var(--accent)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--line)" },
});

/** Tab leaves it, as everywhere in the page; Shift-Enter and Ctrl-Enter run the cell. */
export function createEditor(parent: HTMLElement, { code, label, onChange, onRun }: EditorOptions): Editor {
  const run = (): boolean => {
    onRun();
    return true;
  };
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: code,
      extensions: [
        keymap.of([
          { key: "Shift-Enter", run },
          { key: "Mod-Enter", run },
        ]),
        keymap.of([...defaultKeymap, ...historyKeymap]),
        history(),
        javascript({ typescript: true }),
        bracketMatching(),
        indentOnInput(),
        syntaxHighlighting(classHighlighter),
        EditorView.contentAttributes.of({ "aria-label": label }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) onChange(update.state.doc.toString());
        }),
        theme,
      ],
    }),
  });
  return {
    setCode: (code) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: code } }),
    focus: (place) => {
      const at = place && view.posAtCoords(place);
      if (at !== undefined && at !== null) view.dispatch({ selection: { anchor: at } });
      view.focus();
    },
  };
}
