import type { AttentionGradientKernel, AttentionKernel } from "../../../../compiler/program.ts";
import type { Dispatch } from "../../emit/dispatch.ts";
import { literal } from "../../emit/scalar-ops.ts";
import type { Code, ShaderBuffers, ShaderWriter } from "../../emit/shader.ts";
import { AttentionWriter, INDICES } from "./attention-writer.ts";
import type { Sums } from "./attention-writer.ts";

/** Less than any similarity. */
const LEAST = "-3e38f";

/** Attention with queries as rows (FlashAttention-2: Dao 2023, 2307.08691, algorithm 1). */
export function emitAttention(kernel: AttentionKernel, buffers: ShaderBuffers): Dispatch {
  const { shape, result, logsumexp } = kernel;
  const { queries, keys } = shape;
  const query = { view: kernel.query, count: queries };
  const [key, value] = [kernel.key, kernel.value].map((view) => ({ view, count: keys }));
  const sum: Sums = { name: "mean", of: value, result };
  const writer = new AttentionWriter(buffers, shape, { rows: queries, columns: keys }, [query, key, value], [sum]);
  const { shader } = writer;
  const scale = literal(shader, "f32", kernel.scale);
  shader.line(`var most = vec4<f32>(${LEAST});`);
  shader.line("var total = vec4<f32>();");
  writer.eachBlock(() => {
    writer.products("s", query, key);
    shader.line(`let is_key = ${writer.isColumn};`);
    for (const i of INDICES) shader.line(`s${i} = select(vec4<f32>(${LEAST}), s${i} * ${scale}, is_key);`);
    const largest = INDICES.map((i) => `max(max(s${i}.x, s${i}.y), max(s${i}.z, s${i}.w))`);
    shader.line(`var largest = max(most, vec4(${largest.join(", ")}));`);
    writer.join("largest", (a, b) => `max(${a}, ${b})`);
    shader.line(`let shrunk = ${exponentials(shader, "most - largest")};`);
    shader.line("most = largest;");
    for (const i of INDICES)
      shader.line(`s${i} = select(vec4<f32>(), ${exponentials(shader, `s${i} - largest[${i}]`)}, is_key);`);
    const added = INDICES.map((i) => `dot(s${i}, vec4<f32>(1f))`);
    shader.line(`total = total * shrunk + vec4(${added.join(", ")});`);
    writer.add(
      sum,
      (i) => `s${i}`,
      (i) => `shrunk[${i}]`,
    );
  });
  writer.join("total", (a, b) => `${a} + ${b}`);
  writer.multiply(sum, (i) => `1f / total[${i}]`);
  if (logsumexp)
    shader.block("if (column == 0)", () =>
      writer.eachRow((i) => writer.storeOfRow(logsumexp, i, `most[${i}] + ${shader.use("logarithm")}(total[${i}])`)),
    );
  return writer.finish("attention");
}

/**
 * Its gradients (algorithm 2 there): by queries with those as rows, by keys and values with those as rows. `splitContractions`
 * makes two kernels where both are wanted.
 */
export function emitAttentionGradient(kernel: AttentionGradientKernel, buffers: ShaderBuffers): Dispatch {
  const { shape, logsumexp, delta, byQuery, byKey, byValue } = kernel;
  const { queries, keys } = shape;
  const [query, cotangent] = [kernel.query, kernel.cotangent].map((view) => ({ view, count: queries }));
  const [key, value] = [kernel.key, kernel.value].map((view) => ({ view, count: keys }));
  if (byQuery && (byKey ?? byValue)) throw new Error("internal: webgpu: these gradients are two kernels");

  const counts = byQuery ? { rows: queries, columns: keys } : { rows: keys, columns: queries };
  const ofSimilarity: Sums | undefined = byQuery
    ? { name: "by_query", of: key, result: byQuery }
    : byKey && { name: "by_key", of: query, result: byKey };
  const ofWeight: Sums | undefined = byValue && { name: "by_value", of: cotangent, result: byValue };
  const sums = [ofWeight, ofSimilarity].filter((sum) => sum !== undefined);
  const writer = new AttentionWriter(buffers, shape, counts, [query, key, value, cotangent], sums);
  const { shader } = writer;
  const scale = literal(shader, "f32", kernel.scale);
  writer.eachBlock(() => {
    const [rows, columns] = byQuery ? [query, key] : [key, query];
    writer.products("s", rows, columns);
    if (ofSimilarity)
      writer.products("d", ...((byQuery ? [cotangent, value] : [value, cotangent]) as [typeof query, typeof query]));
    shader.line(`let is_column = ${writer.isColumn};`);
    const sumOf = (buffer: typeof delta): ((i: number) => Code) => {
      if (byQuery) return (i) => writer.ofRow(buffer, i);
      const all = shader.bind("of_columns", writer.ofColumns(buffer));
      return () => all;
    };
    const logarithm = sumOf(logsumexp);
    for (const i of INDICES) {
      const weight = exponentials(shader, `s${i} * ${scale} - ${logarithm(i)}`);
      shader.line(`s${i} = select(vec4<f32>(), ${weight}, is_column);`);
    }
    if (ofWeight) writer.add(ofWeight, (i) => `s${i}`);
    if (!ofSimilarity) return;
    const mean = sumOf(delta);
    writer.add(ofSimilarity, (i) => `s${i} * (d${i} - ${mean(i)})`);
  });
  if (ofSimilarity) writer.multiply(ofSimilarity, () => scale);
  return writer.finish("attentionGradient");
}

function exponentials(shader: ShaderWriter, four: Code): Code {
  const value = shader.bind("power", four);
  const exponential = shader.use("exponential");
  return `vec4(${["x", "y", "z", "w"].map((part) => `${exponential}(${value}.${part})`).join(", ")})`;
}
