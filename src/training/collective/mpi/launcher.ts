import type { Shard } from "../../../data/shard.ts";

/** Who started several processes of one program. */
export interface Launcher extends Shard {
  /** For messages. */
  readonly name: string;
  /** How many of the processes are on this machine, where it says so. */
  readonly localSize: number | undefined;
  /** Which of those this one is. */
  readonly localRank: number | undefined;
  /** Names that its MPI library may have. */
  readonly libraries: readonly string[];
}

const OPEN_MPI = ["libmpi.so.40", "libmpi.40.dylib"];
const MPICH = ["libmpi.so.12", "libmpich.so.12", "libmpi.12.dylib"];
const STANDARD = ["libmpi_abi.so.1", "libmpi_abi.so.0"];

type Environment = Readonly<Record<string, string | undefined>>;

/** The variables by which launchers tell a process who it is; the first row that fits counts. */
const launchers: readonly {
  readonly name: string;
  readonly size: string;
  readonly rank: string;
  readonly localSize: string;
  readonly localRank: string;
  readonly libraries: readonly string[];
}[] = [
  {
    name: "mpirun (Open MPI)",
    size: "OMPI_COMM_WORLD_SIZE",
    rank: "OMPI_COMM_WORLD_RANK",
    localSize: "OMPI_COMM_WORLD_LOCAL_SIZE",
    localRank: "OMPI_COMM_WORLD_LOCAL_RANK",
    libraries: OPEN_MPI,
  },
  {
    name: "mpirun (MPICH)",
    size: "PMI_SIZE",
    rank: "PMI_RANK",
    localSize: "MPI_LOCALNRANKS",
    localRank: "MPI_LOCALRANKID",
    libraries: [...MPICH, ...STANDARD],
  },
  {
    name: "srun",
    size: "SLURM_STEP_NUM_TASKS",
    rank: "SLURM_PROCID",
    localSize: "SLURM_STEP_TASKS_PER_NODE",
    localRank: "SLURM_LOCALID",
    libraries: [...OPEN_MPI, ...MPICH, ...STANDARD],
  },
];

/** Who started this process as one of several; undefined where it is the only one. */
export function launcherOf(environment: Environment): Launcher | undefined {
  for (const { name, libraries, ...variables } of launchers) {
    const [size, rank] = [variables.size, variables.rank].map((variable) => wholeNumber(environment[variable]));
    if (size === undefined || rank === undefined) continue;
    if (size < 2 || rank >= size) return undefined;
    // Slurm writes 4(x2) for two machines of four each, and 4,3 where they differ.
    const local = wholeNumber(environment[variables.localSize]?.replace(/\(x\d+\)$/, ""));
    const localSize = local === 0 ? undefined : local;
    return { name, rank, size, localSize, localRank: wholeNumber(environment[variables.localRank]), libraries };
  }
  return undefined;
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
