import { describe, expect, test } from "vitest";
import { inputLeaves } from "../../../../test/backend/context.ts";
import { Random } from "../../../../test/support/random.ts";
import { assemble, disassemble } from "../../../../test/support/wabt.ts";
import { GaussianDiffusion } from "../../../diffusion/gaussian-diffusion.ts";
import { Unet } from "../../../models/unet/unet.ts";
import { grad } from "../../../tensor/autodiff/grad.ts";
import type { Graph } from "../../../tensor/graph.ts";
import { valueOf } from "../../../tensor/tensor.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { encodeModule } from "../assembly/encode-module.ts";
import type { ModuleBuilder } from "../assembly/module-builder.ts";
import { printModule } from "../assembly/print-module.ts";
import { compileProgram } from "./compiled-program.ts";
import type { CodegenOptions } from "./compiled-program.ts";

/** Loss and gradients of a small U-Net: every kind of kernel. */
function gradients(): Graph {
  const random = new Random(1);
  const model = new Unet({ dim: 16, channels: 1, dimMults: [1, 2] });
  const diffusion = new GaussianDiffusion({ timesteps: 10, lossType: "huber" });
  const parameters = [...model.parameters().values()].map(valueOf);
  const leaves = inputLeaves([random.array([4, 8, 8, 1]), random.array([4], "i32"), random.array([4, 8, 8, 1])]);
  const loss = diffusion.pLosses(model, leaves[0], leaves[1], leaves[2]);
  return { inputs: leaves, outputs: [loss, ...grad(loss, parameters)], updates: [] };
}

/** Ops that the U-Net has none of, and constants that are hard to write. */
function rareOps(): Graph {
  const random = new Random(2);
  const inputs = inputLeaves([random.array([33]), random.array([33], "i32"), random.array([33], "u32")]);
  const [x, i, u] = inputs;
  const constants = [Infinity, -Infinity, NaN, -0, 1e-45].map((value) => x.add(value));
  const outputs: Tensor[] = [...constants, x.power(x), x.log(), x.erf(), x.sin(), i.abs().sign(), u.convert("f32")];
  return { inputs, outputs: [...outputs, x.sum(), i.max(), x.compare("lt", 0).convert("i32")], updates: [] };
}

const targets: Readonly<Record<string, CodegenOptions>> = {
  "256 bits, threads": { features: { wide: true, relaxed: true }, sharesMemory: true },
  "128 bits, one thread, slices": {
    features: { wide: false, relaxed: true },
    sharesMemory: false,
    chains: { fewestSlices: 2, leastBytes: 0, slices: 2 },
  },
  "128 bits without relaxed SIMD": { features: { wide: false, relaxed: false }, sharesMemory: true },
};

describe.each(Object.entries({ gradients, rareOps, nothing: (): Graph => ({ inputs: [], outputs: [], updates: [] }) }))(
  "a module of %s",
  (_, graph) => {
    test.each(Object.entries(targets))("for %s is what wabt makes of its text", async (_, target) => {
      let [text, module] = ["", new Uint8Array()];
      const dump = (shown: ModuleBuilder): void => {
        [text, module] = [printModule(shown), encodeModule(shown)];
      };
      const { steps } = compileProgram(graph(), { ...target, dump });
      expect(WebAssembly.validate(module)).toBe(true);
      expect(Buffer.compare(await assemble(text), module)).toBe(0);
      const functions = new Set(steps.flatMap(({ kernels }) => kernels.map((kernel) => kernel.name)));
      for (const name of functions) expect(text).toContain(`(func $${name} `);
    });
  },
);

test("functions of a module that is shown keep their names for wabt too", async () => {
  let text = "";
  const dump = (shown: ModuleBuilder): void => void (text = printModule(shown));
  const target = { ...targets["256 bits, threads"], dump };
  const { module } = compileProgram(rareOps(), target);
  const read = await disassemble(module);
  const namesIn = (source: string): string[] =>
    [...source.matchAll(/^\s*\(func (\$\w+) \(type/gm)].map(([, name]) => name);
  expect(namesIn(text).length).toBeGreaterThan(5);
  expect(namesIn(read)).toEqual(namesIn(text));
});
