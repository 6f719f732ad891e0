import { chosenBackend } from "./device.ts";
import { draw, offerSamplers, saveDrawn, useModel } from "./draw.ts";
import { button, element, input, say, select } from "./elements.ts";
import { readCheckpoint } from "./models.ts";
import type { Drawable } from "./models.ts";
import { attempt, startsAndStops } from "./task.ts";
import { saveCheckpoint, train, trainFurther } from "./train.ts";

/** A checkpoint that is served with the page; `?checkpoint=` names another. */
const CHECKPOINT = new URL("../../data/fashion-mnist-classes/model.safetensors", import.meta.url).href;

async function open(bytes: ArrayBuffer, name: string): Promise<void> {
  useModel(await readCheckpoint(new Uint8Array(bytes), name));
}

async function openServed(): Promise<void> {
  const url = new URLSearchParams(location.search).get("checkpoint") ?? CHECKPOINT;
  say("model-status", `fetching ${url} …`);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: the server answers ${response.status}`);
  const name = url === CHECKPOINT ? "The garments that come with unnoise" : (url.split("/").at(-1) ?? url);
  await open(await response.arrayBuffer(), name);
}

const drawing = startsAndStops("draw-start", "draw-fault", draw);

/** Trains, and draws with what came of it. */
function training(id: string, work: (signal: AbortSignal) => Promise<Drawable>): () => Promise<void> {
  const startOrStop = startsAndStops(id, "train-fault", async (signal) => useModel(await work(signal)));
  return async () => {
    if (await startOrStop()) await drawing();
  };
}

const trainingAnew = training("train-start", train);
const trainingFurther = training("train-further", trainFurther);

for (const [id, work] of [
  ["draw", drawing],
  ["train", trainingAnew],
] as const) {
  element(id, HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    void work();
  });
}
button("train-further").addEventListener("click", () => void trainingFurther());
button("save").addEventListener("click", () => void attempt("train-fault", saveCheckpoint));
button("save-picture").addEventListener("click", () => void attempt("draw-fault", saveDrawn));
select("device").addEventListener("change", () => {
  void attempt("device-fault", async () => void (await chosenBackend()));
});
input("checkpoint").addEventListener("change", () => {
  const [file] = input("checkpoint").files ?? [];
  if (file) void attempt("checkpoint-fault", async () => open(await file.arrayBuffer(), file.name));
});
input("photos").addEventListener("change", () => {
  const count = input("photos").files?.length ?? 0;
  say("photos-status", count === 1 ? "1 image" : `${count} images`);
});

offerSamplers();
void attempt("device-fault", async () => void (await chosenBackend())).then(() =>
  attempt("checkpoint-fault", openServed),
);
