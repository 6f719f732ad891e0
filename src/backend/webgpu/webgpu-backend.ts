import type { Graph } from "../../tensor/graph.ts";
import type { Variable } from "../../tensor/variable.ts";
import type { Backend, ByteCache, ExchangeValues } from "../backend.ts";
import { checkGraph } from "../common/checks.ts";
import { checkSingles, exchangeCopies } from "../common/exchange.ts";
import { JobQueue } from "../common/job-queue.ts";
import { Lifetime } from "../common/lifetime.ts";
import { Residency } from "../common/residency.ts";
import { VariableStore } from "../common/variable-store.ts";
import type { Precision } from "../common/precision.ts";
import { variablesOf } from "../../tensor/graph.ts";
import { Device, identityOf, nameOf } from "./runtime/device.ts";
import { WebGpuExecutable } from "./runtime/executable.ts";
import type { ExecutionContext } from "./runtime/executable.ts";
import { multipliesExactly } from "./matrix-unit-check.ts";
import { chooseMatrixUnit, subgroupMatrixConfigs } from "./runtime/matrix-unit.ts";
import { Memory } from "./runtime/memory.ts";
import { emitProgram, scheduleProgram } from "./program/gpu-program.ts";
import { Pipelines } from "./runtime/pipelines.ts";
import type { AdapterTraits, MatrixUnit } from "./emit/adapter.ts";
import { subgroupsOf } from "./runtime/subgroup-size.ts";
import { TileChoices } from "./tuning/tile-choices.ts";
import { Tuner } from "./tuning/tuner.ts";
import { Submissions } from "./runtime/submissions.ts";
import { BufferVariables } from "./runtime/variable-memory.ts";
import { Workspace } from "./runtime/workspace.ts";

export interface WebGpuOptions {
  /** Whether an adapter that computes on the CPU will do. Default true. */
  readonly allowSoftware?: boolean;
  /** Default f32. */
  readonly precision?: Precision | undefined;
  /** Whether kernels are measured with several tiles when a program is compiled. Default false. */
  readonly tune?: boolean | undefined;
  /** Where it is kept which tiles were the fastest; what is found there is used. */
  readonly tileCache?: ByteCache | undefined;
  /** Is told in single lines how tuning gets on. */
  readonly log?: ((line: string) => void) | undefined;
}

/** What the backend needs of the platform that it runs on. */
export interface Platform {
  readonly gpu: GPU;
  /** Whether workgroup memory is cleared before every kernel, as in a page. */
  readonly clearsWorkgroupMemory: boolean;
  environment(name: string): string | undefined;
}

/** Compiles graphs to WGSL, run by a GPU. */
export class WebGpuBackend implements Backend {
  readonly name = "webgpu";
  readonly description: string;
  readonly precision: Precision;
  readonly #context: ExecutionContext;
  readonly #dumps: boolean;
  readonly #adapter: AdapterTraits;
  readonly #tuner: Tuner;
  readonly #lifetime = new Lifetime("webgpu");

  private constructor(device: Device, adapter: AdapterTraits, dumps: boolean, options: WebGpuOptions) {
    const queue = new JobQueue(this.#lifetime, () => device.check());
    const memory = new Memory(device);
    const variableMemory = new BufferVariables(memory, queue);
    const variables = new VariableStore(variableMemory, this.#lifetime);
    this.#context = {
      device,
      queue,
      memory,
      pipelines: new Pipelines(device),
      variableMemory,
      variables,
      residency: new Residency(variables, this.#lifetime),
      workspace: new Workspace(memory),
      submissions: new Submissions(device),
    };
    this.#adapter = adapter;
    const { precision = "f32", tune: measures = false, tileCache, log = () => {} } = options;
    const choices = new TileChoices(identityOf(device.info), tileCache, log);
    this.#tuner = new Tuner({ device, memory, adapter, queue }, choices, { measures, log });
    this.#dumps = dumps;
    this.precision = precision;
    const facts = [
      `WebGPU, ${device.description}`,
      ...(precision === "f16" ? ["in half precision"] : []),
      ...(adapter.matrixUnit ? ["by matrix units"] : []),
    ];
    this.description = facts.join(", ");
  }

  /** @throws Error of one line if there is no adapter that will do */
  static async create(platform: Platform, options: WebGpuOptions = {}): Promise<WebGpuBackend> {
    const { allowSoftware = true, precision = "f32" } = options;
    const adapter = await platform.gpu.requestAdapter({ powerPreference: "high-performance" });
    if (adapter === null)
      throw new Error("webgpu: no GPU to be found: it takes a driver for Vulkan, Metal or Direct3D 12");
    if (!allowSoftware && isSoftware(adapter.info))
      throw new Error(`webgpu: the only GPU, ${nameOf(adapter.info)}, is one in software`);
    const device = await Device.open(adapter);
    const { limits } = device.gpu;
    const subgroups = await subgroupsOf(device);
    const traits = {
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      smallTiles: platform.clearsWorkgroupMemory && isSoftware(device.info),
      subgroupSize: subgroups?.isPinned === false ? subgroups.size : undefined,
    };
    const backendWith = (matrixUnit: MatrixUnit | undefined, own: WebGpuOptions): WebGpuBackend =>
      new WebGpuBackend(device, { ...traits, matrixUnit }, platform.environment("UNNOISE_DUMP") !== undefined, own);
    const matrixUnit =
      platform.environment("UNNOISE_SUBGROUP_MATRIX") === "0"
        ? undefined
        : chooseMatrixUnit(subgroupMatrixConfigs(device), precision, subgroups);
    const isRight = matrixUnit !== undefined && (await multipliesExactly(backendWith(matrixUnit, { precision })));
    return backendWith(isRight ? matrixUnit : undefined, options);
  }

  get isClosed(): boolean {
    return this.#lifetime.isEnding || this.#context.device.isLost;
  }

  /** The device, for code that shares it. */
  get device(): GPUDevice {
    return this.#context.device.gpu;
  }

  /** Bytes of the device's memory that are in use or kept for the next run. */
  get allocatedBytes(): number {
    return this.#context.memory.bytes;
  }

  async load(graph: Graph): Promise<WebGpuExecutable> {
    this.#lifetime.check();
    checkGraph(graph);
    const { device, pipelines, queue, residency, variables: store } = this.#context;
    device.check();
    const scheduled = scheduleProgram(graph, this.precision, this.#adapter);
    const tiles = await this.#tuner.tilesFor(scheduled.program.kernels, scheduled.storage);
    const emitted = emitProgram(scheduled, this.#adapter, tiles);
    if (this.#dumps) for (const wgsl of new Set(emitted.dispatches.map((each) => each.wgsl))) console.error(wgsl);
    const kernels = await pipelines.compile(emitted.dispatches);
    const variables = variablesOf(graph);
    return residency.begin(variables, () => {
      const places = new Map(variables.map((variable) => [variable, store.placeOf(variable)]));
      return queue.run(() => WebGpuExecutable.create(this.#context, { ...emitted, graph, kernels }, places));
    });
  }

  async exchange(variables: readonly Variable[], change: ExchangeValues): Promise<void> {
    checkSingles(variables);
    const { residency, variables: store, queue, memory } = this.#context;
    return residency.begin(variables, () => {
      const sources = variables.map((each) => ({ place: store.placeOf(each), dtype: each.dtype, length: each.size }));
      const read = async () => (await memory.readNow(sources))();
      const write = async (values: readonly Float32Array<ArrayBuffer>[]): Promise<void> =>
        sources.forEach(({ place }, i) => memory.write(place, values[i]));
      return queue.run(() => exchangeCopies(variables, read, write, change));
    });
  }

  close(): Promise<void> {
    const { device, variables, queue, memory } = this.#context;
    return this.#lifetime.end(async () => {
      try {
        // With a device that is lost, so are its variables' values: to read one says so.
        if (!device.isLost) await variables.moveAllToHost();
      } finally {
        await queue.close();
        await memory.arrived();
        device.gpu.destroy();
      }
    });
  }
}

/** Whether an adapter is a program that plays a GPU. */
export function isSoftware({ isFallbackAdapter, vendor, architecture, device, description }: GPUAdapterInfo): boolean {
  const names = [vendor, architecture, device, description].join(" ");
  return isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|softpipe|basic render/i.test(names);
}
