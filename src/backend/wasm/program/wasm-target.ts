import type { Target } from "../../../compiler/target.ts";
import { measuredTarget } from "../../common/measured-target.ts";
import { paysAsAWhole } from "../kernels/attention/heads.ts";
import { LINE_BYTES } from "../emit/addresses.ts";
import { isWideGradient } from "../kernels/winograd/choice.ts";

/** What the compiler knows of processors. */
export const wasmTarget: Target = {
  ...measuredTarget,
  splitting: { ...measuredTarget.splitting, takesWhole: isWideGradient },
  fusesAttention: paysAsAWhole,
  fusion: { ...measuredTarget.fusion, ordersGradients: true },
  // As variables lie that come together.
  joining: { alignment: LINE_BYTES / 4, mostTogether: Infinity, mostElements: 2 ** 18, mostFixedElements: 2 ** 18 },
};
