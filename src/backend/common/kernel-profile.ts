/** One kernel of a profiled run. */
export interface KernelProfile {
  readonly name: string;
  readonly seconds: number;
}
