import type { Affine } from "../../../compiler/affine.ts";
import { affineKey } from "../../../compiler/affine.ts";
import { visitExpression } from "../../../compiler/program.ts";
import type { Buffer, ConvolutionShape, Expression } from "../../../compiler/program.ts";
import { sizeOf } from "../../../tensor/shape.ts";
import { countUses } from "../../common/codegen/uses.ts";
import { ExpressionEmitter, affineCode } from "../emit/expression-emitter.ts";
import { decode } from "../emit/grid.ts";
import type { Code, ShaderWriter } from "../emit/shader.ts";
import { vectorBuffers } from "../emit/vectors.ts";
import { atMost, returnFour, sum, times } from "./operand.ts";
import type { Four, FourPlace, Operand } from "./operand.ts";

/** An image that windows lie in, in the shader of a kernel that reads it. */
export interface WindowedImage {
  readonly shader: ShaderWriter;
  readonly shape: ConvolutionShape;
  readonly input: Expression;
  /** Whether it is read four channels at a time. */
  readonly inFours: boolean;
}

/** The buffers of an image that is read four channels at a time, if it can be. */
export function imageVectors(shape: ConvolutionShape, input: Expression): Set<Buffer> | undefined {
  return vectorBuffers([input], [], [shape.batch, ...shape.input, shape.inChannels], 3);
}

/**
 * Windows as rows, one for each pixel of the result: the inner dimension counts the window's rows, columns and channels.
 *
 * @param oneTap whether all of a tile along the inner dimension is at one place of the window, in neighbouring channels
 */
export function windowRows(image: WindowedImage, oneTap: boolean): Operand {
  const { shader, shape, input, inFours } = image;
  const pixels = [shape.batch, ...shape.output];
  const cornerOf = (place: FourPlace): Code[] => {
    const pixel = shader.bind("pixel", atMost(place, sizeOf(pixels) - 1));
    const [index, y, x] = decode(shader, pixels, pixel, "pixel");
    return [index, corner(shader, shape, 0, y), corner(shader, shape, 1, x)];
  };
  if (!inFours) {
    emitElements(image);
    return (at) => {
      const [index, y, x] = cornerOf(at);
      return ({ start, end }) => ({
        value: () => `elements(${index}, ${y}, ${x}, ${sum(start, at.inner)}, ${end})`,
      });
    };
  }
  const once = memo();
  return (at) => {
    const [index, y, x] = cornerOf(at);
    const fixed = fixedParts(shader, input, [index, y, x, oneTap ? at.inner : "0"]);
    return ({ start }) => {
      const place = oneTap ? start : once(at.inner, () => [shader.bind("place", sum(start, at.inner))])[0];
      const [ky, kx, channel] = once(place, () => decode(shader, [...shape.kernel, shape.inChannels], place, "k"));
      const indexOf = eachAffine(input, (affine) => {
        const step = (): Code[] => [windowStep(shader, shape, affine, place, [ky, kx, channel])];
        return sum(fixed(affine), once(`${place} ${affineKey(affine)}`, step)[0]);
      });
      return fourChannels(image, insideOf(image, sum(y, ky), sum(x, kx)), indexOf);
    };
  };
}

/** How far a place in a window is from its beginning in memory. A row of a window is a run there if channels are not padded. */
function windowStep(
  shader: ShaderWriter,
  { kernel, inChannels }: ConvolutionShape,
  affine: Affine,
  place: Code,
  [ky, kx, channel]: readonly Code[],
): Code {
  const [, row, column, step] = affine.coefficients;
  if (column !== step * inChannels) return moving(shader, affine, ["0", ky, kx, channel]);
  return shader.bind("step", sum(times(place, step), times(ky, row - kernel[1] * column)));
}

/** Code that several of an invocation's fours share is written for the first of them. */
function memo(): (key: string, write: () => Code[]) => readonly Code[] {
  const known = new Map<string, readonly Code[]>();
  return (key, write) => {
    const codes = known.get(key) ?? write();
    known.set(key, codes);
    return codes;
  };
}

/** Windows as columns of the left operand: rows are the window's rows, columns and channels; pixels the inner dimension. */
export function windowColumns(image: WindowedImage): Operand {
  const { shader, shape, input, inFours } = image;
  const { strides } = shape;
  const pixels = [shape.batch, ...shape.output];
  const window = [...shape.kernel, shape.inChannels];
  if (!inFours) {
    emitElements(image);
    return ({ outer, inner }) =>
      ({ start }) => ({
        value: () => {
          const [index, y, x] = decode(shader, pixels, sum(start, inner), "pixel");
          const corners = `${corner(shader, shape, 0, y)}, ${corner(shader, shape, 1, x)}`;
          return `elements(${index}, ${corners}, ${outer}, ${sizeOf(window)})`;
        },
      });
  }
  const isPadded = hasPadding(shape);
  const once = memo();
  return (place) => {
    const { inner } = place;
    const row = shader.bind("place", atMost(place, sizeOf(window) - 4));
    const [ky, kx, channel] = decode(shader, window, row, "k");
    const [y, x] = [below(ky, shape.padding[0][0]), below(kx, shape.padding[1][0])].map((code) =>
      /^\w+$/.test(code) ? code : shader.bind("tap", code),
    );
    const fixed = fixedParts(shader, input, ["0", y, x, channel], (affine) => times(inner, pixelStep(shape, affine)));
    let isLinear = true;
    visitExpression(input, (node) => "index" in node && (isLinear &&= pixelStep(shape, node.index) !== 0));
    return ({ start }) => {
      const pixelAt = (): Code[] => decode(shader, pixels, sum(start, inner), "pixel");
      const [index, py, px] = isPadded || !isLinear ? once(inner, pixelAt) : ["0", "0", "0"];
      const [down, right] = [times(py, strides[0]), times(px, strides[1])];
      const at = eachAffine(input, (affine) => {
        const step = pixelStep(shape, affine);
        const rest = step === 0 ? moving(shader, affine, [index, down, right, "0"]) : times(start, step);
        return sum(fixed(affine), rest);
      });
      return fourChannels(image, insideOf(image, sum(down, y), sum(right, x)), at);
    };
  };
}

/** How far apart in a buffer neighbouring pixels of the result read, if that is the same for all; else 0. */
function pixelStep({ batch, output, strides }: ConvolutionShape, { coefficients }: Affine): number {
  const [image, row, column] = coefficients;
  const step = column * strides[1];
  const isSame =
    (output[0] === 1 || row * strides[0] === output[1] * step) &&
    (batch === 1 || image === output[0] * output[1] * step);
  return isSame ? step : 0;
}

function fourChannels(
  { shader, input }: WindowedImage,
  isInside: Code | undefined,
  at: (affine: Affine) => Code,
): Four {
  const point = { at: [], index: at, vectorAxis: 3 };
  return {
    isInside,
    value: () => new ExpressionEmitter(shader, countUses([input]), point).value(input),
    halves: () => (input.kind === "load" ? shader.loadHalves(input.buffer, at(input.index)) : undefined),
  };
}

/** Whether a place is in the image and not in its padding: below 0 it is far beyond the end when it has no sign. */
function insideOf({ shader, shape }: WindowedImage, row: Code, column: Code): Code | undefined {
  if (!hasPadding(shape)) return undefined;
  return shader.bind("inside", `(u32(${row}) < ${shape.input[0]}u) & (u32(${column}) < ${shape.input[1]}u)`);
}

function hasPadding({ padding }: ConvolutionShape): boolean {
  return padding.flat().some((n) => n > 0);
}

/** Where the window of a result begins along an axis. */
function corner(shader: ShaderWriter, { strides, padding }: ConvolutionShape, axis: 0 | 1, at: Code): Code {
  const code = below(times(at, strides[axis]), padding[axis][0]);
  return /^\w+$/.test(code) ? code : shader.bind("corner", code);
}

function below(code: Code, amount: number): Code {
  return amount === 0 ? code : `${code} - ${amount}`;
}

/** What every affine value in an expression is at coordinates that stay the same; more is added to it in the loop. */
function fixedParts(
  shader: ShaderWriter,
  input: Expression,
  at: readonly Code[],
  more: (affine: Affine) => Code = () => "0",
): (affine: Affine) => Code {
  return eachAffine(input, (affine) => shader.bind("base", sum(affineCode(affine, at), more(affine))));
}

/** Writes the code of every affine value in an expression; a function that finds it again. */
function eachAffine(input: Expression, codeOf: (affine: Affine) => Code): (affine: Affine) => Code {
  const codes = new Map<string, Code>();
  visitExpression(input, (node) => {
    if (!("index" in node)) return;
    const key = affineKey(node.index);
    if (!codes.has(key)) codes.set(key, codeOf(node.index));
  });
  return (affine) => {
    const code = codes.get(affineKey(affine));
    if (code === undefined) throw new Error("internal: webgpu: an index that is not in the expression");
    return code;
  };
}

/** What coordinates that change add to it. */
function moving(shader: ShaderWriter, { coefficients }: Affine, at: readonly Code[]): Code {
  const code = affineCode({ offset: 0, coefficients }, at);
  return /^\w+$/.test(code) ? code : shader.bind("step", code);
}

/** A function that gives up to four neighbours in a window, and zeros beyond its end and in the padding. */
function emitElements({ shader, shape, input }: WindowedImage): void {
  shader.function("element(image: i32, y: i32, x: i32, place: i32) -> f32", () => {
    const [ky, kx, channel] = decode(shader, [...shape.kernel, shape.inChannels], "place", "k");
    shader.line(`let row = ${sum("y", ky)};`);
    shader.line(`let column = ${sum("x", kx)};`);
    if (hasPadding(shape))
      shader.line(
        `if (row < 0 || row >= ${shape.input[0]} || column < 0 || column >= ${shape.input[1]}) { return 0f; }`,
      );
    const at = [shape.batch === 1 ? "0" : "image", "row", "column", channel];
    shader.line(`return ${new ExpressionEmitter(shader, countUses([input]), { at }).value(input)};`);
  });
  shader.function("elements(image: i32, y: i32, x: i32, place: i32, end: i32) -> vec4<f32>", () =>
    returnFour(shader, "end", "place", (i) => `element(image, y, x, place + ${i})`),
  );
}
