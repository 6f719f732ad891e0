import { valueOf } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Embedding } from "../../nn/embedding.ts";
import type { Conditions } from "./declaration.ts";

/**
 * The images' rows of a table of classes. A row behind those of the classes, where the table has one, stands for none of
 * them: it makes classes nullable.
 *
 * @param layer the network, for messages
 * @returns [batch, dim], or [1, dim] where no image is told its class
 * @throws one line if images are not told their classes and the table has no row for none
 */
export function classRows(
  layer: string,
  table: Embedding,
  numClasses: number,
  { classes, keepMask }: Conditions,
): Tensor {
  const rows = valueOf(table.weight);
  const isNullable = rows.shape[0] > numClasses;
  if (!classes && !isNullable) {
    throw new Error(`${layer}: every image needs its class, because the model was made with nullClass false`);
  }
  const known =
    classes && (classes.dtype === "f32" ? classes.matmul(rows.slice(0, 0, numClasses)) : rows.gather(classes));
  if (known && !(keepMask && isNullable)) return known;
  const none = rows.slice(0, numClasses, numClasses + 1);
  return known && keepMask ? keepMask.reshape([keepMask.size, 1]).select(known, none) : none;
}
