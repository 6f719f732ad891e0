import type { Affine } from "../../../compiler/affine.ts";
import { affineKey } from "../../../compiler/affine.ts";
import { visitExpression } from "../../../compiler/program.ts";
import type { Buffer, ConvolutionShape, Expression } from "../../../compiler/program.ts";
import { sizeOf } from "../../../tensor/shape.ts";
import { countUses } from "../../common/codegen/uses.ts";
import { ExpressionEmitter, affineCoder } from "../emit/expression-emitter.ts";
import { decode, decoder } from "../emit/grid.ts";
import type { Code, ShaderWriter } from "../emit/shader.ts";
import { vectorBuffers } from "../emit/vectors.ts";
import { atMost, returnFour, sum, times } from "./operand.ts";
import type { Four, FourPlace, Operand } from "./operand.ts";
import { RunningIndex } from "./running-index.ts";

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
  const window = [...shape.kernel, shape.inChannels];
  const last = shader.anySize(sizeOf(pixels) - 1);
  const pixelOf = decoder(shader, pixels);
  const cornerOf = (place: FourPlace): Code[] => {
    const [index, y, x] = pixelOf(shader.bind("pixel", atMost(place, last)), "pixel");
    return [index, corner(shader, shape, 0, y), corner(shader, shape, 1, x)];
  };
  if (!inFours) {
    emitElements(image);
    return (at, { end }) => {
      const [index, y, x] = cornerOf(at);
      return (start) => ({
        value: () => `elements(${index}, ${y}, ${x}, ${sum(start, at.inner)}, ${end})`,
      });
    };
  }
  const fixedOf = fixedParts(shader, input);
  const isInside = insideOf(image);
  const once = memo<RunningIndex>();
  const onceStep = memo<Code>();
  return (at, loop) => {
    const [index, y, x] = cornerOf(at);
    // What is the same for the whole workgroup is counted once for it.
    const inner = oneTap ? "0" : at.inner;
    const place = once(inner, () => new RunningIndex(shader, window, sum(loop.from, inner), loop));
    const fixed = fixedOf([index, y, x, oneTap ? at.inner : "0"]);
    const indexOf = eachAffine(input, (affine) =>
      sum(
        fixed(affine),
        onceStep(`${inner} ${affineKey(affine)}`, () => place.sum(affine.coefficients.slice(1))),
      ),
    );
    const [ky, kx] = place.at;
    return () => fourChannels(image, isInside(sum(y, ky), sum(x, kx)), indexOf);
  };
}

/** What several of an invocation's fours share is written for the first of them. */
function memo<T>(): (key: string, write: () => T) => T {
  const known = new Map<string, T>();
  return (key, write) => {
    const value = known.get(key) ?? write();
    known.set(key, value);
    return value;
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
      (start) => ({
        value: () => {
          const [index, y, x] = decode(shader, pixels, sum(start, inner), "pixel");
          const corners = `${corner(shader, shape, 0, y)}, ${corner(shader, shape, 1, x)}`;
          return `elements(${index}, ${corners}, ${outer}, ${sizeOf(window)})`;
        },
      });
  }
  const last = shader.anySize(sizeOf(window) - 4);
  const windowOf = decoder(shader, window);
  const fixedOf = fixedParts(shader, input);
  const isInside = insideOf(image);
  const steps = eachAffine(input, (affine) => shader.size(pixelStep(shape, affine)));
  const isLinear = everyAffine(input, (affine) => pixelStep(shape, affine) !== 0);
  const once = memo<RunningIndex>();
  const onceStep = memo<Code>();
  return (place, loop) => {
    const { inner } = place;
    const [ky, kx, channel] = windowOf(shader.bind("place", atMost(place, last)), "k");
    const [y, x] = [below(ky, shape.padding[0][0]), below(kx, shape.padding[1][0])].map((code) =>
      /^\w+$/.test(code) ? code : shader.bind("tap", code),
    );
    const fixed = fixedOf(["0", y, x, channel], (affine) => times(inner, steps(affine)));
    const pixel =
      hasPadding(shape) || !isLinear
        ? once(inner, () => new RunningIndex(shader, pixels, sum(loop.from, inner), loop))
        : undefined;
    const moved = eachAffine(input, (affine) => {
      if (!pixel || steps(affine) !== "0") return "0";
      const [ofImage, ofRow, ofColumn] = affine.coefficients;
      const step = (): Code => pixel.sum([ofImage, ofRow * strides[0], ofColumn * strides[1]]);
      return onceStep(`${inner} ${affineKey(affine)}`, step);
    });
    const [, py, px] = pixel?.at ?? ["0", "0", "0"];
    const [down, right] = [times(py, strides[0]), times(px, strides[1])];
    return (start) => {
      const at = eachAffine(input, (affine) => sum(fixed(affine), sum(moved(affine), times(start, steps(affine)))));
      return fourChannels(image, isInside(sum(down, y), sum(right, x)), at);
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
function insideOf({ shader, shape }: WindowedImage): (row: Code, column: Code) => Code | undefined {
  if (!hasPadding(shape)) return () => undefined;
  const [height, width] = shape.input.map((n) => `u32(${shader.anySize(n)})`);
  return (row, column) => shader.bind("inside", `(u32(${row}) < ${height}) & (u32(${column}) < ${width})`);
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
): (at: readonly Code[], more?: (affine: Affine) => Code) => (affine: Affine) => Code {
  const coders = eachAffine(input, (affine) => affineCoder(affine, shader));
  return (at, more = () => "0") =>
    eachAffine(input, (affine) => shader.bind("base", sum(coders(affine)(at), more(affine))));
}

function everyAffine(input: Expression, holds: (affine: Affine) => boolean): boolean {
  let all = true;
  visitExpression(input, (node) => "index" in node && (all &&= holds(node.index)));
  return all;
}

/** Makes something of every affine value in an expression; a function that finds it again. */
function eachAffine<T>(input: Expression, codeOf: (affine: Affine) => T): (affine: Affine) => T {
  const codes = new Map<string, T>();
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
