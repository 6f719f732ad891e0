import { valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Embedding } from "../nn/embedding.ts";
import type { ConditionDeclarations, Conditions } from "./conditions.ts";

/** That a network may be told classes, if it knows any; they may be left out if there is a row for none. */
export function labelConditions(numClasses: number, nullClass: boolean): ConditionDeclarations {
  if (numClasses === 0) return {};
  return { classes: { shape: [], dtype: "i32", numClasses, nullable: nullClass, source: "dataset" } };
}

/**
 * The images' rows of a table of classes. A row behind those of the classes, where the table has one, stands for none of
 * them: classifier-free guidance (Ho & Salimans 2022, 2207.12598) needs it.
 *
 * @param layer the network, for messages
 * @returns [batch, dim], or [1, dim] where no image is told its class
 * @throws one line if an image may be without its class and the table has no row for none
 */
export function labelRows(
  layer: string,
  table: Embedding,
  numClasses: number,
  { classes, keepMask }: Conditions,
): Tensor {
  const hasNull = table.weight.shape[0] > numClasses;
  if (!hasNull && (!classes || keepMask)) {
    throw new Error(`${layer}: every image needs its class, because the model was made with nullClass false`);
  }
  const rows = valueOf(table.weight);
  const known =
    classes && (classes.dtype === "f32" ? classes.matmul(rows.slice(0, 0, numClasses)) : rows.gather(classes));
  if (known && !keepMask) return known;
  const none = rows.slice(0, numClasses, numClasses + 1);
  return known && keepMask ? keepMask.reshape([keepMask.size, 1]).select(known, none) : none;
}
