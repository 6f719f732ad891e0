import "katex/dist/katex.min.css";
import "@fontsource-variable/source-serif-4/wght.css";
import "@fontsource-variable/source-serif-4/wght-italic.css";
import "@fontsource-variable/source-code-pro/wght.css";
import "../kit/kit.css";
import "./style/page.css";
import "./style/code.css";
import { mountFigures } from "../kit/mount.ts";
import { mountCells } from "./cells/mount.tsx";
import { figures } from "./figures.ts";
import { isolate } from "./isolation.ts";
import { mountSettings } from "./settings.tsx";
import { reachOverflowing } from "./overflow.ts";

void isolate();
mountCells();
mountSettings();
reachOverflowing(".formula");
mountFigures(figures);
