import { classHighlighter, highlightCode } from "@lezer/highlight";
import { parser } from "@lezer/javascript";

const typescript = parser.configure({ dialect: "ts" });

/** Addresses of what an identifier means, if it is explained somewhere. */
export type AddressOf = (name: string) => string | undefined;

export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** TypeScript as HTML, with the classes that the editor gives to the same code, so that nothing changes when it starts. */
export function highlight(code: string, addressOf: AddressOf = () => undefined): string {
  let html = "";
  const putText = (text: string, classes: string): void => {
    const address = /^[\w$]+$/.test(text) ? addressOf(text) : undefined;
    const content = address === undefined ? escapeHtml(text) : `<a href="${address}">${text}</a>`;
    html += classes === "" ? content : `<span class="${classes}">${content}</span>`;
  };
  highlightCode(code, typescript.parse(code), classHighlighter, putText, () => (html += "\n"));
  return html;
}
