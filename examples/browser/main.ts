import { chosenBackend } from "./device.ts";
import { draw, offerSamplers, useModel } from "./draw.ts";
import { button, element, input, say, select } from "./elements.ts";
import { readCheckpoint } from "./models.ts";
import { saveCheckpoint, train } from "./train.ts";

/** A checkpoint that is served with the page; `?checkpoint=` names another. */
const CHECKPOINT = new URL("../../data/fashion-mnist-classes/model.safetensors", import.meta.url).href;

let stop: AbortController | undefined;

/** Does one thing at a time; a fault is shown in one line. */
async function attempt(work: (signal: AbortSignal) => Promise<void>, stopButton?: HTMLButtonElement): Promise<void> {
  const fault = element("error", HTMLElement);
  const controls = [...document.querySelectorAll<HTMLButtonElement>("button, select, .drop input")];
  fault.hidden = true;
  stop = new AbortController();
  const { signal } = stop;
  for (const control of controls) control.disabled = control !== stopButton;
  if (stopButton) stopButton.hidden = false;
  try {
    await work(signal);
  } catch (error) {
    if (signal.aborted) return;
    fault.textContent = error instanceof Error ? error.message : String(error);
    fault.hidden = false;
  } finally {
    for (const control of controls) control.disabled = false;
    if (stopButton) stopButton.hidden = true;
  }
}

async function open(bytes: ArrayBuffer, name: string): Promise<void> {
  useModel(await readCheckpoint(new Uint8Array(bytes), name));
}

async function openServed(): Promise<void> {
  const url = new URLSearchParams(location.search).get("checkpoint") ?? CHECKPOINT;
  say("model-status", `fetching ${url} …`);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: the server answers ${response.status}`);
  await open(await response.arrayBuffer(), url.split("/").at(-1) ?? url);
}

const drawing = (): Promise<void> => attempt(draw, button("draw-stop"));

async function training(): Promise<void> {
  let isTrained = false;
  await attempt(async (signal) => {
    useModel(await train(signal));
    isTrained = true;
  }, button("train-stop"));
  button("save").hidden = !isTrained;
  if (isTrained) await drawing();
}

element("draw", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  void drawing();
});
element("train", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  void training();
});
for (const id of ["draw-stop", "train-stop"]) button(id).addEventListener("click", () => stop?.abort());
button("save").addEventListener("click", () => void attempt(saveCheckpoint));
select("device").addEventListener("change", () => void attempt(async () => void (await chosenBackend())));
input("checkpoint").addEventListener("change", () => {
  const [file] = input("checkpoint").files ?? [];
  if (file) void attempt(async () => open(await file.arrayBuffer(), file.name));
});
input("photos").addEventListener("change", () => {
  const count = input("photos").files?.length ?? 0;
  say("photos-status", count === 1 ? "1 image" : `${count} images`);
});

offerSamplers();
void attempt(async () => {
  await Promise.all([chosenBackend(), openServed()]);
});
