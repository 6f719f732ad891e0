/** What shaders depend on of the adapter that runs them. */
export interface AdapterTraits {
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
  /** Bytes. */
  readonly maxComputeWorkgroupStorageSize: number;
  /** Whether little workgroup memory matters more than speed: where a driver in software clears it, it writes code for each word. */
  readonly smallTiles: boolean;
  /** Invocations that can exchange values without memory, in runs by their numbers. */
  readonly subgroupSize?: number | undefined;
  readonly matrixUnit?: MatrixUnit | undefined;
}

/** A product of matrices that the invocations of a subgroup compute together: [rows, inner] x [inner, columns], in float32. */
export interface MatrixUnit {
  /** What the factors are of. */
  readonly component: "f16" | "f32";
  readonly rows: number;
  readonly columns: number;
  readonly inner: number;
  readonly subgroupSize: number;
  /** Whether a kernel gets subgroups of this size only if it asks for them. */
  readonly isPinned?: boolean;
}
