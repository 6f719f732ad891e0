import type { ImageSize } from "../../../config/image-size.ts";
import type { TimestepSpacing } from "../../../diffusion/process/timestep-spacing.ts";
import type { SamplerName } from "../../../diffusion/samplers/registry.ts";
import type { StorageDtype } from "../../../tensor/half-storage.ts";
import type { DeviceFlags } from "../../flags/device.ts";
import type { EditingFlags } from "../../flags/editing.ts";
import type { GuidingFlags } from "../../flags/guiding.ts";
import type { PretrainedFlags } from "../../flags/pretrained.ts";
import type { OutputFlags } from "./output.ts";

export interface SampleFlags extends DeviceFlags, EditingFlags, GuidingFlags, OutputFlags, PretrainedFlags {
  readonly checkpoint?: string;
  readonly imageSize?: ImageSize;
  readonly seed?: number;
  readonly steps?: number;
  readonly sampler?: SamplerName;
  readonly timestepSpacing?: TimestepSpacing;
  readonly eta?: number;
  readonly ema: boolean;
  readonly weights?: StorageDtype;
}
