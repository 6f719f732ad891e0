import { describe, expect, test } from "vitest";
import { abiOf } from "./abi.ts";
import { launcherOf } from "./launcher.ts";

describe("who started a process as one of several", () => {
  test.each([
    [
      {
        OMPI_COMM_WORLD_SIZE: "4",
        OMPI_COMM_WORLD_RANK: "3",
        OMPI_COMM_WORLD_LOCAL_SIZE: "2",
        OMPI_COMM_WORLD_LOCAL_RANK: "1",
      },
      { name: "mpirun (Open MPI)", size: 4, rank: 3, localSize: 2, localRank: 1 },
    ],
    [
      {
        PMI_SIZE: "2",
        PMI_RANK: "0",
        MPI_LOCALNRANKS: "2",
        MPI_LOCALRANKID: "0",
        SLURM_STEP_NUM_TASKS: "1",
        SLURM_PROCID: "0",
      },
      { name: "mpirun (MPICH)", size: 2, rank: 0, localSize: 2, localRank: 0 },
    ],
    [
      { SLURM_STEP_NUM_TASKS: "8", SLURM_PROCID: "5", SLURM_STEP_TASKS_PER_NODE: "4(x2)", SLURM_LOCALID: "1" },
      { name: "srun", size: 8, rank: 5, localSize: 4, localRank: 1 },
    ],
    [
      { SLURM_STEP_NUM_TASKS: "7", SLURM_PROCID: "5", SLURM_STEP_TASKS_PER_NODE: "4,3" },
      { name: "srun", size: 7, rank: 5, localSize: undefined },
    ],
  ])("is told by %o", (environment, launcher) => {
    expect(launcherOf(environment)).toMatchObject(launcher);
  });

  test.each([
    {},
    { OMPI_COMM_WORLD_SIZE: "1", OMPI_COMM_WORLD_RANK: "0" },
    // A batch script of Slurm, which runs once.
    { SLURM_NTASKS: "8", SLURM_PROCID: "0" },
    { PMI_SIZE: "two", PMI_RANK: "0" },
    { PMI_SIZE: "2", PMI_RANK: "2" },
  ])("is no one by %o", (environment) => {
    expect(launcherOf(environment)).toBeUndefined();
  });
});

test("the interface of a library is told by its name and its variables", () => {
  const none = () => undefined;
  expect(abiOf("/opt/lib/libmpi_abi.so.1", none).world).toBe(0x101n);
  expect(abiOf("libmpi.so.12", none).world).toBe(0x44000000n);
  const openMpi = abiOf("/opt/libmpi_abi/lib/libmpi.so.40", (name) => (name === "ompi_mpi_comm_world" ? 1n : 2n));
  expect(openMpi).toMatchObject({ world: 1n, float: 2n, sum: 2n, inPlace: 1n });
});
