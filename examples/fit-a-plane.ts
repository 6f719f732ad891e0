// The compiler without a diffusion model: least squares by gradient descent.
//   node_modules/.bin/node --conditions unnoise-source examples/fit-a-plane.ts
import { compile, defaultBackend, grad, ndarray, valueOf, Variable } from "unnoise";

const w = new Variable("w", [3]);
const step = compile(await defaultBackend(), ({ x, y }) => {
  const loss = x
    .matmul(valueOf(w).reshape([3, 1]))
    .reshape([-1])
    .subtract(y)
    .square()
    .mean();
  const [g] = grad(loss, [valueOf(w)]);
  return { outputs: { loss }, updates: [{ variable: w, value: valueOf(w).subtract(g.multiply(0.01)) }] };
});
const points = { x: ndarray([1, 2, 3, 4, 5, 6], [2, 3]), y: ndarray([1, 2], [2]) };
const { loss } = await step(points);
console.log("loss", loss.data[0]);
for (let i = 0; i < 2000; i++) await step(points);
console.log("w", ...(await w.read()));
