/** What the C interface of an MPI library calls things: numbers, or addresses of its variables. */
export interface Abi {
  readonly world: bigint;
  readonly float: bigint;
  readonly double: bigint;
  readonly byte: bigint;
  readonly sum: bigint;
  readonly inPlace: bigint;
  readonly statusIgnore: bigint;
  readonly funneled: number;
}

/** MPICH and those that follow it, such as Intel MPI: mpi.h of MPICH 5.0.2. */
const mpich: Abi = {
  world: 0x44000000n,
  float: 0x4c00040an,
  double: 0x4c00080bn,
  byte: 0x4c00010dn,
  sum: 0x58000003n,
  inPlace: -1n,
  statusIgnore: 1n,
  funneled: 1,
};

/** That of the standard, chapter 20 of MPI 5.0: mpi_abi.h of MPICH 5.0.2. */
const standard: Abi = {
  world: 0x101n,
  float: 0x210n,
  double: 0x214n,
  byte: 0x247n,
  sum: 0x21n,
  inPlace: 1n,
  statusIgnore: 0n,
  funneled: 1024,
};

/**
 * @param path of the library
 * @param addressOf gives the address of a variable of the library, or undefined where it has none of the name
 */
export function abiOf(path: string, addressOf: (name: string) => bigint | undefined): Abi {
  if (/libmpi_abi\.[^/]*$/.test(path)) return standard;
  const world = addressOf("ompi_mpi_comm_world");
  if (world === undefined) return mpich;
  const [float = 0n, double = 0n, byte = 0n, sum = 0n] = ["mpi_float", "mpi_double", "mpi_byte", "mpi_op_sum"].map(
    (name) => addressOf(`ompi_${name}`),
  );
  return { world, float, double, byte, sum, inPlace: 1n, statusIgnore: 0n, funneled: 1 };
}
