/** A library that we are compared with, and the packages that it takes, with the versions that --install-peers brings. */
export interface Library {
  readonly name: string;
  /** Python's packages. */
  readonly pip: Readonly<Record<string, string>>;
  /** npm's packages. */
  readonly npm: Readonly<Record<string, string>>;
}

/** diffusers has the published models. */
const torch = { torch: "2.15.0", numpy: "2.4.6", diffusers: "0.42.1" };

export const libraries = {
  pytorch: { name: "PyTorch", pip: torch, npm: {} },
  jax: { name: "JAX", pip: { jax: "0.10.2", optax: "0.2.8", numpy: torch.numpy }, npm: {} },
  // The network is PyTorch's.
  openvino: { name: "OpenVINO", pip: { ...torch, openvino: "2026.4.1" }, npm: {} },
  onnxruntime: {
    name: "ONNX Runtime",
    // The graph is PyTorch's.
    pip: { ...torch, onnx: "1.23.2", onnxscript: "0.7.2" },
    npm: { "onnxruntime-node": "1.30.0" },
  },
  tfjs: {
    name: "TensorFlow.js",
    pip: {},
    npm: { "@tensorflow/tfjs": "4.22.0", "@tensorflow/tfjs-backend-wasm": "4.22.0" },
  },
  "jax-js": { name: "jax-js", pip: {}, npm: { "@jax-js/jax": "0.1.25" } },
} as const satisfies Readonly<Record<string, Library>>;

export type LibraryName = keyof typeof libraries;
