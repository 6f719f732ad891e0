import { concatenate, full, valueOf } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Variable } from "../../tensor/variable.ts";
import type { ConditionDeclarations, Conditions } from "./declaration.ts";

/**
 * `context`, a sequence that describes each image, such as a text's tokens, f32 [batch, length, contextDim]; and
 * `contextMask`, where it has something to say, bool [batch, length]: everywhere without it.
 */
export function contextCondition(contextDim: number): ConditionDeclarations {
  const embedded = "looked at by cross-attention";
  const common = { embedded, nullable: true, source: "dataset" } as const;
  return {
    context: { shape: [null, contextDim], dtype: "f32", ...common },
    contextMask: { shape: [null], dtype: "bool", ...common, goesWith: "context" },
  };
}

/** A sequence that cross-attention looks at. */
export interface ContextTokens {
  /** [batch, length, contextDim] */
  readonly tokens: Tensor;
  /** Where it looks, bool [batch, length]; everywhere without it. */
  readonly mask?: Tensor | undefined;
}

/** The context behind a learned token, which is all that images see which are told none. */
export function contextTokens(nullContext: Variable, conditions: Conditions, batch: number): ContextTokens {
  const { context, contextMask, keepMask } = conditions;
  const none = valueOf(nullContext).broadcastTo([batch, 1, nullContext.size]);
  if (!context) return { tokens: none };
  const tokens = concatenate([none, context], 1);
  const kept = keepMask?.reshape([batch, 1]).broadcastTo([batch, context.shape[1]]);
  const seen = kept && contextMask ? kept.and(contextMask) : (kept ?? contextMask);
  return { tokens, mask: seen && concatenate([full([batch, 1], 1, "bool"), seen], 1) };
}
