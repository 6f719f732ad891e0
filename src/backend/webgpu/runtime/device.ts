import { DeviceLost } from "../../common/device-lost.ts";

/** GPUBufferUsage and GPUMapMode, which Node has no globals for. */
export const USAGE = {
  mapRead: 0x1,
  copySource: 0x4,
  copyTarget: 0x8,
  uniform: 0x40,
  storage: 0x80,
  queryResolve: 0x200,
} as const;
export const MAP_READ = 1;

/** Not in WebGPU's specification: an experiment of Dawn's. */
export const SUBGROUP_MATRIX = "chromium-experimental-subgroup-matrix";

/** What is used of an adapter where it is there; halves alone only by matrix units. */
const WANTED_FEATURES = [
  "subgroups",
  "subgroup-size-control",
  "timestamp-query",
  "shader-f16",
  SUBGROUP_MATRIX,
] as readonly GPUFeatureName[];

const WANTED_LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
] as const;

/** A GPU with all that its adapter allows, and what went wrong with it. */
export class Device {
  readonly gpu: GPUDevice;
  readonly info: GPUAdapterInfo;
  #lost: string | undefined;
  #fault: string | undefined;

  private constructor(gpu: GPUDevice, info: GPUAdapterInfo) {
    this.gpu = gpu;
    this.info = info;
    void this.#watch(gpu.lost);
    gpu.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      this.#fault ??= faultOf(event.error);
    });
  }

  static async open(adapter: GPUAdapter): Promise<Device> {
    const requiredLimits = Object.fromEntries(WANTED_LIMITS.map((name) => [name, adapter.limits[name]]));
    const requiredFeatures = WANTED_FEATURES.filter((name) => adapter.features.has(name));
    return new Device(await adapter.requestDevice({ requiredLimits, requiredFeatures }), adapter.info);
  }

  /** One line for people. */
  get description(): string {
    return nameOf(this.info);
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** @throws DeviceLost if it is gone, Error if something that nobody waited for failed */
  check(): void {
    if (this.#lost !== undefined) throw new DeviceLost(`webgpu: the device was lost: ${this.#lost}`);
    if (this.#fault !== undefined) throw new Error(this.#fault);
  }

  /** Waits for the GPU; a device that is lost meanwhile is what went wrong. */
  async wait<T>(work: Promise<T>): Promise<T> {
    try {
      const result = await work;
      this.check();
      return result;
    } catch (error) {
      // The loss is told after the work that it ends is refused.
      if (!(error instanceof DeviceLost))
        await Promise.race([this.gpu.lost, new Promise((resume) => setTimeout(resume, 50))]);
      this.check();
      throw error;
    }
  }

  /** Runs `allocate`; true if all of it got its memory. */
  async fits(allocate: () => void): Promise<boolean> {
    this.gpu.pushErrorScope("out-of-memory");
    allocate();
    return (await this.wait(this.gpu.popErrorScope())) === null;
  }

  async #watch(lost: Promise<GPUDeviceLostInfo>): Promise<void> {
    const { reason, message } = await lost;
    this.#lost ??= firstLine(message) || reason;
  }
}

/** Browsers tell less than Dawn does. */
export function nameOf({ vendor, architecture, device, description }: GPUAdapterInfo): string {
  return description || [vendor, architecture, device].filter((part) => part !== "").join(" ") || "unnamed GPU";
}

/** All that an adapter tells of itself, its driver included where it does. */
export function identityOf({ vendor, architecture, device, description }: GPUAdapterInfo): string {
  return [vendor, architecture, device, description].join(" / ");
}

/** Its class has no name of its own in Node. */
function faultOf({ constructor, message }: GPUError): string {
  const isMemory = constructor.name === "GPUOutOfMemoryError";
  return isMemory
    ? `webgpu: the device ran out of memory (${firstLine(message)}); a smaller batch needs less`
    : `internal: webgpu: ${firstLine(message)}`;
}

function firstLine(text: string): string {
  return text.trim().split("\n", 1)[0];
}
