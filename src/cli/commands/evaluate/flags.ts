import type { SamplerName } from "../../../diffusion/samplers/registry.ts";
import type { ImageSize } from "../../../config/image-size.ts";
import type { DataFlags } from "../../flags/images/data.ts";
import type { DeviceFlags } from "../../flags/device.ts";
import type { ModelFlags } from "../../flags/model.ts";
import type { WayFlags } from "../../flags/drawing/way.ts";

/** What `unnoise evaluate` is told. */
export interface EvaluateFlags extends DataFlags, DeviceFlags, ModelFlags, WayFlags {
  readonly images?: string;
  readonly data?: string;
  readonly split?: "train" | "test";
  /** Of the samples; that of the images which the model has seen without it. */
  readonly imageSize?: ImageSize;
  /** Scales and cuts --images of another size than the dataset's. */
  readonly resize?: boolean;
  /** A file, or `untrained`. */
  readonly features?: string;
  /** Images whose likelihood is measured instead; true for a usual number. */
  readonly nll?: number | true;
  readonly number: number;
  readonly seed: number;
  readonly sampler?: readonly SamplerName[];
  readonly steps?: readonly number[];
  readonly guidance?: number;
  /** True prints JSON; a name is a file that is written. */
  readonly json?: string | true;
  readonly out?: string;
}
