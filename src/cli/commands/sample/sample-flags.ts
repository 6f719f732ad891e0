import type { ImageSize } from "../../../config/image-size.ts";
import type { SamplerName } from "../../../diffusion/samplers/registry.ts";
import type { DeviceFlags } from "../../flags/device.ts";
import type { EditingFlags } from "../../flags/drawing/editing.ts";
import type { GuidingFlags } from "../../flags/drawing/guiding.ts";
import type { PretrainedFlags } from "../../flags/pretrained.ts";
import type { ModelFlags } from "../../flags/model.ts";
import type { WayFlags } from "../../flags/drawing/way.ts";
import type { OutputFlags } from "./output.ts";

export interface SampleFlags
  extends DeviceFlags, EditingFlags, GuidingFlags, ModelFlags, OutputFlags, PretrainedFlags, WayFlags {
  readonly imageSize?: ImageSize;
  readonly seed?: number;
  readonly steps?: number;
  readonly sampler?: SamplerName;
}
