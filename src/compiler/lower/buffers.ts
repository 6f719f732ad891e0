import type { DType } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Variable } from "../../tensor/variable.ts";
import type { Buffer, BufferSource } from "../program.ts";
import { isStoredLeaf } from "../passes/scheduled-kernel.ts";

/** Gives stored tensors their buffers. */
export class BufferTable {
  readonly buffers: Buffer[] = [];
  readonly #byTensor = new Map<Tensor, Buffer>();

  allocate(
    like: { readonly dtype: DType; readonly size: number },
    source: BufferSource = { kind: "temporary" },
  ): Buffer {
    const buffer = { id: this.buffers.length, dtype: like.dtype, length: like.size, source };
    this.buffers.push(buffer);
    return buffer;
  }

  allocateVariable(variable: Variable): Buffer {
    return this.allocate(variable, { kind: "variable", variable });
  }

  of(tensor: Tensor): Buffer | undefined {
    const known = this.#byTensor.get(tensor);
    if (known || !isStoredLeaf(tensor)) return known;
    const buffer = this.allocate(tensor, sourceOf(tensor));
    this.#byTensor.set(tensor, buffer);
    return buffer;
  }

  add(tensor: Tensor): Buffer {
    const buffer = this.allocate(tensor);
    this.#byTensor.set(tensor, buffer);
    return buffer;
  }

  require(tensor: Tensor): Buffer {
    const buffer = this.of(tensor);
    if (!buffer) throw new Error(`internal: ${tensor.toString()} is read before it is stored`);
    return buffer;
  }
}

function sourceOf({ op }: Tensor): BufferSource {
  if (op.kind === "input") return { kind: "input", index: op.index };
  if (op.kind === "variable") return { kind: "variable", variable: op.variable };
  if (op.kind === "literal") return { kind: "literal", data: op.data };
  throw new Error(`internal: ${op.kind} is no leaf`);
}
