import type { Device } from "./device.ts";
import type { Dispatch } from "../emit/dispatch.ts";

export interface KernelPipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Compiled shaders: kernels with one text share one, in all programs of a device. */
export class Pipelines {
  readonly #device: Device;
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  readonly #kernels = new Map<string, Promise<KernelPipeline>>();

  constructor(device: Device) {
    this.#device = device;
  }

  /** Compiles what is not compiled yet, all at once. */
  compile(dispatches: readonly Dispatch[]): Promise<KernelPipeline[]> {
    return Promise.all(dispatches.map((dispatch) => this.#kernel(dispatch)));
  }

  #kernel(dispatch: Dispatch): Promise<KernelPipeline> {
    const known = this.#kernels.get(dispatch.wgsl);
    if (known) return known;
    const kernel = this.#build(dispatch);
    this.#kernels.set(dispatch.wgsl, kernel);
    kernel.catch(() => this.#kernels.delete(dispatch.wgsl));
    return kernel;
  }

  async #build(dispatch: Dispatch): Promise<KernelPipeline> {
    const { gpu } = this.#device;
    const { name, wgsl } = dispatch;
    const layout = this.#layout(dispatch);
    // What is wrong with a shader is told by its pipeline; its own complaint would come unasked.
    gpu.pushErrorScope("validation");
    const module = gpu.createShaderModule({ label: name, code: wgsl });
    const pipeline = gpu.createComputePipelineAsync({
      label: name,
      layout: gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: "main" },
    });
    const complaint = gpu.popErrorScope();
    try {
      return { pipeline: await this.#device.wait(pipeline), layout };
    } catch (error) {
      this.#device.check();
      const message = (await complaint)?.message ?? String(error);
      throw new Error(`internal: webgpu: ${name}: ${message}\n${wgsl}`, { cause: error });
    }
  }

  #layout({ bindings, sizes }: Dispatch): GPUBindGroupLayout {
    const types = bindings.map(({ isWritten }): GPUBufferBindingType => (isWritten ? "storage" : "read-only-storage"));
    if (sizes.length > 0) types.push("uniform");
    const key = types.join();
    const layout =
      this.#layouts.get(key) ??
      this.#device.gpu.createBindGroupLayout({
        entries: types.map((type, binding) => ({
          binding,
          visibility: 4, // GPUShaderStage.COMPUTE
          buffer: { type },
        })),
      });
    this.#layouts.set(key, layout);
    return layout;
  }
}
