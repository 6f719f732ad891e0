import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Picture } from "unnoise";
import { Slider } from "../../kit/controls.tsx";
import { drawPicture } from "../../kit/pictures/picture.ts";
import type { Output } from "./messages.ts";
import type { Cell } from "./notebook.ts";

/** What a cell put out, or what the text says that it prints. */
export function Outputs({ cell: { outputs, printed } }: { readonly cell: Cell }) {
  if (outputs.value === undefined) return printed === "" ? null : <Printed text={printed} />;
  return (
    <>
      {outputs.value.map((output, i) => (
        <OutputView key={`${i} ${output.kind}`} output={output} />
      ))}
    </>
  );
}

function Printed({ text }: { readonly text: string }) {
  return (
    <pre class="printed" tabIndex={0} role="group" aria-label="What the cell prints">
      {text}
    </pre>
  );
}

function OutputView({ output }: { readonly output: Output }) {
  switch (output.kind) {
    case "text":
      return <Printed text={output.text} />;
    case "picture":
      return <PictureView picture={output.picture} label={output.name} />;
    case "animation":
      return <AnimationView frames={output.frames} delayMs={output.delayMs} label={output.name} />;
    case "chart":
      return (
        <img
          class="drawing"
          alt={`The chart ${output.name} that the cell has drawn`}
          src={`data:image/svg+xml,${encodeURIComponent(output.svg)}`}
        />
      );
  }
}

function PictureView({ picture, label }: { readonly picture: Picture; readonly label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    if (canvas.current) drawPicture(canvas.current, picture);
  }, [picture]);
  // As large as whole pixels of the screen allow, up to three for each of the picture's, as the text has its pictures.
  const style = { maxWidth: `${3 * picture.width}px` };
  return (
    <canvas class="pictures" ref={canvas} role="img" style={style} aria-label={`The picture ${label} of the cell`} />
  );
}

interface AnimationProps {
  readonly frames: readonly Picture[];
  readonly delayMs: number;
  readonly label: string;
}

/** Moves only when asked to. */
function AnimationView({ frames, delayMs, label }: AnimationProps) {
  const frame = useSignal(frames.length - 1);
  const isPlaying = useSignal(false);
  useEffect(() => {
    if (!isPlaying.value) return undefined;
    const timer = setInterval(() => (frame.value = (frame.value + 1) % frames.length), delayMs);
    return () => clearInterval(timer);
  }, [isPlaying.value]);
  return (
    <div class="animation">
      <PictureView picture={frames[frame.value]} label={label} />
      <div class="actions">
        <button type="button" onClick={() => (isPlaying.value = !isPlaying.value)}>
          {isPlaying.value ? "Pause" : "Play"}
        </button>
        <Slider label="frame" value={frame} min={0} max={frames.length - 1} text={(value) => String(value + 1)} />
      </div>
    </div>
  );
}
