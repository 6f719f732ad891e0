import { partsOf, placesIn } from "../../../compiler/program.ts";
import type { Buffer, Program } from "../../../compiler/program.ts";
import type { TypedArray } from "../../../tensor/dtype.ts";
import type { Graph } from "../../../tensor/graph.ts";
import type { NdArray } from "../../../tensor/ndarray.ts";
import type { Variable } from "../../../tensor/variable.ts";
import type { Executable } from "../../backend.ts";
import { checkInputs } from "../../common/checks.ts";
import { releaseWith } from "../../common/garbage.ts";
import type { Release } from "../../common/garbage.ts";
import type { JobQueue } from "../../common/job-queue.ts";
import type { KernelProfile } from "../../common/kernel-profile.ts";
import type { Residency } from "../../common/residency.ts";
import type { VariableStore } from "../../common/variable-store.ts";
import { variablesOf } from "../../../tensor/graph.ts";
import type { Device } from "./device.ts";
import { bytesFor } from "./memory.ts";
import type { Memory, Place } from "./memory.ts";
import type { KernelPipeline, Pipelines } from "./pipelines.ts";
import { Profiler } from "./profiler.ts";
import { WORD_BYTES } from "../emit/storage.ts";
import { chunksOf } from "../program/chunks.ts";
import type { Chunk } from "../program/chunks.ts";
import type { GpuProgram } from "../program/gpu-program.ts";
import { SizesBuffer } from "./sizes.ts";
import type { Submissions } from "./submissions.ts";
import type { BufferVariables, VariablePlace } from "./variable-memory.ts";
import type { Workspace } from "./workspace.ts";

/** What programs of one backend share. */
export interface ExecutionContext {
  readonly device: Device;
  readonly queue: JobQueue;
  readonly memory: Memory;
  readonly pipelines: Pipelines;
  readonly variableMemory: BufferVariables;
  readonly variables: VariableStore<VariablePlace>;
  readonly residency: Residency;
  readonly workspace: Workspace;
  readonly submissions: Submissions;
}

export interface LoadedProgram extends GpuProgram {
  readonly graph: Graph;
  readonly kernels: readonly KernelPipeline[];
  /** A buffer for every slot of the plan. */
  readonly slots: readonly GPUBuffer[];
  readonly sizes: SizesBuffer;
}

/** Where the values of variables are; in the queue, it is where they are now. */
export type VariablePlaces = ReadonlyMap<Variable, VariablePlace>;

/** Variables of which each starts so many bytes from the first. */
interface VariableArena {
  readonly variables: readonly Variable[];
  readonly starts: readonly number[];
}

/** What frees a program's memory. It stands apart from the class so that it cannot keep a program alive. */
function freeing(
  { queue, memory, workspace }: ExecutionContext,
  literals: ReadonlyMap<unknown, Place>,
  { slots, sizes }: LoadedProgram,
): () => void {
  const free = (): void => {
    if (sizes.buffer) memory.free(sizes.buffer);
    for (const { buffer } of literals.values()) memory.free(buffer);
    workspace.release(slots);
  };
  return () => queue.free(free);
}

/** A program that is ready to run: pipelines, buffers, and bind groups that last. */
export class WebGpuExecutable implements Executable {
  readonly program: Program;
  readonly workspaceBytes: number;
  readonly #context: ExecutionContext;
  readonly #loaded: LoadedProgram;
  readonly #variables: readonly Variable[];
  readonly #literals = new Map<Buffer, Place>();
  readonly #inputs: readonly (Buffer | undefined)[];
  readonly #arenas: readonly VariableArena[];
  readonly #groups: GPUBindGroup[] = [];
  /** Where the variables were that the bind groups were made for. */
  readonly #bound = new Map<Buffer, Place>();
  readonly #release: Release;
  #disposed = false;

  private constructor(context: ExecutionContext, loaded: LoadedProgram) {
    const { graph, program, plan } = loaded;
    this.#release = releaseWith(this, freeing(context, this.#literals, loaded));
    this.program = program;
    this.workspaceBytes = plan.sizes.reduce((sum, size) => sum + size, 0);
    this.#context = context;
    this.#loaded = loaded;
    this.#variables = variablesOf(graph);
    this.#inputs = graph.inputs.map((_, index) =>
      program.buffers.find((buffer) => {
        const { source } = buffer;
        return source.kind === "input" && source.index === index && plan.placeOf.has(buffer);
      }),
    );
    this.#arenas = variableArenas(program);
  }

  /**
   * To be called in the queue.
   *
   * @throws OutOfMemory where its buffers do not fit; then it has none
   */
  static async create(
    context: ExecutionContext,
    program: Omit<LoadedProgram, "slots" | "sizes">,
    places: VariablePlaces,
  ): Promise<WebGpuExecutable> {
    const { workspace, memory, device } = context;
    const sizes = await SizesBuffer.create(memory, device.gpu.limits, program.dispatches);
    const slots = await workspace.take(program.plan.sizes).catch((error: unknown) => {
      if (sizes.buffer) memory.free(sizes.buffer);
      throw error;
    });
    const executable = new WebGpuExecutable(context, { ...program, slots, sizes });
    try {
      await executable.#writeLiterals();
      await executable.#gather(places);
      return executable;
    } catch (error) {
      executable.dispose();
      throw error;
    }
  }

  async run(inputs: readonly NdArray[]): Promise<NdArray[]> {
    const arrived = await this.#start(inputs);
    const outputs = await arrived();
    const { graph, program } = this.#loaded;
    return program.outputs.map(({ dtype }, i) => ({ shape: graph.outputs[i].shape, dtype, data: outputs[i] }));
  }

  elementBytes(buffer: Buffer): number {
    return this.#loaded.storage.elementBytes(buffer);
  }

  get heldBytes(): number {
    return [...this.#literals.values()].reduce((sum, { buffer: { size } }) => sum + size, 0);
  }

  /** Runs once and times each kernel on the GPU's clock. */
  async profile(inputs: readonly NdArray[]): Promise<KernelProfile[]> {
    const { dispatches } = this.#loaded;
    const profiler = new Profiler(this.#context.device, dispatches.length);
    const arrived = await this.#start(inputs, profiler);
    const [seconds] = await Promise.all([profiler.finish(), arrived()]);
    const texts = [...new Set(dispatches.map(({ wgsl }) => wgsl))];
    return dispatches.map(({ name, wgsl }, i) => ({ name: `${name}_${texts.indexOf(wgsl)}`, seconds: seconds[i] }));
  }

  dispose(): void {
    this.#disposed = true;
    this.#release();
  }

  #start(inputs: readonly NdArray[], profiler?: Profiler): Promise<() => Promise<TypedArray[]>> {
    const { residency, variables, queue } = this.#context;
    return residency.begin(this.#variables, async () => {
      if (this.#disposed) throw new Error("run: the program was disposed of");
      checkInputs(this.#loaded.graph, inputs);
      const places = new Map(this.#variables.map((variable) => [variable, variables.placeOf(variable)]));
      return queue.run(() => this.#submit(inputs, places, profiler));
    });
  }

  /** Encodes and submits everything, chunk by chunk; what is returned waits for the outputs. */
  async #submit(
    inputs: readonly NdArray[],
    places: VariablePlaces,
    profiler: Profiler | undefined,
  ): Promise<() => Promise<TypedArray[]>> {
    const { program, seconds } = this.#loaded;
    const { device, memory, submissions } = this.#context;
    await this.#gather(places);
    this.#bind(places);
    this.#inputs.forEach((buffer, i) => {
      if (buffer) memory.write(this.#placeOf(buffer), inputs[i].data);
    });
    const chunks = chunksOf(seconds, submissions.longest);
    const last = chunks.pop();
    if (!last) throw new Error("internal: a program has no chunk");
    for (const chunk of chunks) {
      const encoder = device.gpu.createCommandEncoder();
      this.#encode(encoder, chunk, profiler);
      await submissions.submit(encoder.finish(), chunk.seconds);
    }
    const encoder = device.gpu.createCommandEncoder();
    this.#encode(encoder, last, profiler);
    profiler?.resolve(encoder);
    const arrived = await memory.read(
      encoder,
      program.outputs.map((buffer) => ({
        place: this.#placeOf(buffer),
        dtype: buffer.dtype,
        length: buffer.length,
      })),
    );
    await submissions.submit(encoder.finish(), last.seconds);
    return arrived;
  }

  #encode(encoder: GPUCommandEncoder, { first, end }: Chunk, profiler?: Profiler): void {
    const { dispatches, kernels, storage } = this.#loaded;
    let pass: GPUComputePassEncoder | undefined;
    for (let i = first; i < end; i++) {
      const { grid, pack } = dispatches[i];
      if (pack) {
        // Copies stand between passes.
        pass?.end();
        pass = undefined;
        const packed = this.#placeOf(pack.buffer);
        for (const [buffer, offset] of pack.offsets) {
          const from = this.#placeOf(buffer);
          const to = packed.offset + WORD_BYTES * offset;
          if (buffer.length > 0)
            encoder.copyBufferToBuffer(from.buffer, from.offset, packed.buffer, to, storage.bytesOf(buffer));
        }
      }
      if (profiler) {
        pass?.end();
        pass = encoder.beginComputePass({ timestampWrites: profiler.timestamps(i) });
      }
      pass ??= encoder.beginComputePass();
      pass.setPipeline(kernels[i].pipeline);
      pass.setBindGroup(0, this.#groups[i]);
      pass.dispatchWorkgroups(...grid);
    }
    pass?.end();
  }

  /** Another program may have had variables moved away from each other. */
  async #gather(places: VariablePlaces): Promise<void> {
    for (const { variables, starts } of this.#arenas) {
      const parts = variables.flatMap((variable) => places.get(variable) ?? []);
      await this.#context.variableMemory.gather(parts, starts);
    }
  }

  /** Binds variables that are at another place than before. */
  #bind(places: VariablePlaces): void {
    const moved = new Set<Buffer>();
    for (const buffer of this.program.buffers) {
      const place = buffer.source.kind === "variable" && places.get(buffer.source.variable);
      if (!place) continue;
      const bound = this.#bound.get(buffer);
      if (bound?.buffer === place.buffer && bound.offset === place.offset) continue;
      this.#bound.set(buffer, { buffer: place.buffer, offset: place.offset });
      moved.add(buffer);
    }
    const { dispatches, kernels, sizes, storage } = this.#loaded;
    dispatches.forEach((dispatch, i) => {
      const { bindings } = dispatch;
      if (this.#groups[i] && !bindings.some(({ buffer }) => moved.has(partsOf(buffer)[0]))) return;
      const entries: GPUBindGroupEntry[] = bindings.map(({ buffer }, binding) => ({
        binding,
        resource: { ...this.#placeOf(buffer), size: storage.bytesOf(buffer) },
      }));
      entries.push(...sizes.entriesOf(dispatch));
      this.#groups[i] = this.#context.device.gpu.createBindGroup({ layout: kernels[i].layout, entries });
    });
  }

  /** Of what lies together, the place of the first. */
  #placeOf(operand: Buffer): Place {
    const [buffer] = partsOf(operand);
    const { plan, slots } = this.#loaded;
    const inSlot = plan.placeOf.get(buffer);
    const place =
      this.#bound.get(buffer) ??
      this.#literals.get(buffer) ??
      (inSlot && { buffer: slots[inSlot.slot], offset: inSlot.offset });
    if (!place) throw new Error(`internal: buffer ${buffer.id} has no place`);
    return place;
  }

  async #writeLiterals(): Promise<void> {
    const { memory } = this.#context;
    const literals = this.program.buffers.filter(({ source }) => source.kind === "literal");
    const sizes = literals.map(({ length }) => bytesFor(length));
    (await memory.allocate(sizes, "the program's constants")).forEach((buffer, i) => {
      const { source } = literals[i];
      const place = { buffer, offset: 0 };
      this.#literals.set(literals[i], place);
      if (source.kind === "literal") memory.write(place, source.data);
    });
  }
}

function variableArenas({ arenas, alignment }: Program): VariableArena[] {
  return arenas.flatMap((parts) => {
    const variables = parts.flatMap(({ source }) => (source.kind === "variable" ? [source.variable] : []));
    const starts = placesIn(parts, alignment).starts.map((start) => WORD_BYTES * start);
    return variables.length > 0 ? [{ variables, starts }] : [];
  });
}
