// ONNX Runtime's side of the benches: PyTorch's U-Net, exported.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { loadPackage, servePredictor } from "./predictor.ts";
import type { Predictor, PredictorSettings, PredictorTask } from "./predictor.ts";

type Tensor = object;

/** What we use of onnxruntime-node. */
interface OnnxRuntime {
  readonly env: { readonly versions: { readonly node: string } };
  readonly Tensor: new (type: string, data: Float32Array | BigInt64Array, shape: readonly number[]) => Tensor;
  readonly InferenceSession: { create(path: string, options: { intraOpNumThreads: number }): Promise<Session> };
}

interface Session {
  run(inputs: { x: Tensor; t: Tensor }): Promise<{ y: { data: Float32Array } }>;
}

async function make(settings: PredictorSettings, { shape }: PredictorTask): Promise<Predictor> {
  const { default: ort } = (await loadPackage(settings.npm, "onnxruntime-node")) as { default: OnnxRuntime };
  const session = await withGraph(settings, (path) => {
    return ort.InferenceSession.create(path, { intraOpNumThreads: settings.threads });
  });
  return {
    description: `onnxruntime-node ${ort.env.versions.node}, ${settings.threads} threads`,
    async predict(x, t) {
      const timesteps = new ort.Tensor("int64", BigInt64Array.from(t, BigInt), [settings.batch]);
      return (await session.run({ x: new ort.Tensor("float32", x, shape), t: timesteps })).y.data;
    },
  };
}

/** Exports the U-Net, for as long as it is used. */
async function withGraph<Result>(
  { python, reference, batch }: PredictorSettings,
  use: (path: string) => Promise<Result>,
): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), "unnoise-bench-"));
  try {
    const path = join(directory, "unet.onnx");
    const script = fileURLToPath(new URL("export_onnx.py", import.meta.url));
    const flags = ["--reference", reference, "--batch", String(batch), "--out", path];
    await promisify(execFile)(python, ["-B", script, ...flags]);
    return await use(path);
  } finally {
    await rm(directory, { recursive: true });
  }
}

await servePredictor("onnxruntime", make);
