import { formatTable } from "../../src/cli/output/format.ts";
import { nameOfTile } from "../../src/backend/webgpu/kernels/tile.ts";
import type { CodeShare, Outcome } from "../measurements/outcome.ts";
import type { Plan } from "../measurements/plan.ts";
import { AmdCompiler } from "./amd-compiler.ts";
import { tileCost } from "./issue-cycles.ts";
import { typicalKernels } from "./kernels.ts";

/** Compiles typical kernels for an AMD GPU, if there is what it takes. */
export async function countGpuCode({ say, warn }: Plan): Promise<Outcome> {
  const nothing = { results: [], profiles: [], descriptions: [] };
  let compiler: AmdCompiler;
  try {
    compiler = await AmdCompiler.create();
  } catch (error) {
    warn(`gpu-code is left out: ${error instanceof Error ? error.message : String(error)}`);
    return nothing;
  }
  try {
    const shares: CodeShare[] = [];
    for (const { name, code } of typicalKernels) {
      say(`gpu-code: ${name}`);
      const shareOf = async (precision: "f32" | "f16"): Promise<number> => {
        const { wgsl, tile } = code(precision);
        const each = tile.rowsEach * tile.columnsEach * tile.inner;
        const { multiplyAdds, issueCycles } = tileCost(await compiler.disassemble(wgsl), each);
        return multiplyAdds / issueCycles;
      };
      const { tile, workgroups } = code("f32");
      shares.push({
        kernel: name,
        tile: nameOfTile(tile),
        workgroups,
        f32: await shareOf("f32"),
        f16: await shareOf("f16"),
      });
    }
    return { ...nothing, descriptions: ["code of Mesa's RADV for RDNA 2, of naga's SPIR-V"], code: shares };
  } finally {
    await compiler.dispose();
  }
}

/** A line for each kernel. */
export function codeTable(shares: readonly CodeShare[]): string {
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
  const header = ["multiply-adds among issue cycles", "tile", "workgroups", "f32", "f16"];
  const lines = shares.map(({ kernel, tile, workgroups, f32, f16 }) => [
    `  ${kernel}`,
    tile,
    String(workgroups),
    percent(f32),
    percent(f16),
  ]);
  return formatTable([header, ...lines]);
}
