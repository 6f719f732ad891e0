#!/bin/bash
# Trains on the machines of a Slurm cluster: sbatch examples/cluster/slurm.sh
# The same command goes on from the last checkpoint, so a job that is requeued needs nothing else.
#SBATCH --job-name=unnoise
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=08:00:00
#SBATCH --requeue
# Two minutes before the end: the step is finished, a checkpoint is written, and the processes end.
#SBATCH --signal=USR2@120
#SBATCH --open-mode=append

set -eu
module load nodejs openmpi   # as your cluster calls them; Node 20.9 or newer

# The first process fetches the images once; all processes see the cache and the run on a shared file system.
export UNNOISE_CACHE="$SLURM_SUBMIT_DIR/cache"
export UNNOISE_THREADS="$SLURM_CPUS_PER_TASK"

# --kill-on-bad-exit: one process that fails ends the others at once.
srun --mpi=pmix --kill-on-bad-exit=1 --cpu-bind=none \
  node node_modules/unnoise/dist/cli/main.js train --preset annotated --batch-size 512 --out runs/big
