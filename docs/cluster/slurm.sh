#!/usr/bin/env bash
# A sweep on Slurm: one Ray over the nodes of the job, then `apollo run` on the first of them.
#
#   sbatch docs/cluster/slurm.sh my.yaml
#
# Before its time limit it stops and puts itself into the queue again, where it goes on. For a job that
# is preempted or loses a node Slurm does that, since it is told `--requeue`. A cancelled one stays so.
#SBATCH --job-name=apollo
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --gpus-per-node=8
#SBATCH --mem=0
#SBATCH --time=24:00:00
#SBATCH --exclusive
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
#SBATCH --open-mode=append
#SBATCH --output=apollo-%j.out
set -euo pipefail

sweep=${1:?usage: sbatch slurm.sh SWEEP}
# On a filesystem that all nodes mount at the same place (not $HOME if that has a small quota).
export APOLLO_STORE=${APOLLO_STORE:?set it to a folder on the shared filesystem}
# Each node's own disk, for media from an object store.
export APOLLO_SCRATCH=${APOLLO_SCRATCH:-${TMPDIR:-/tmp}/apollo-$SLURM_JOB_ID}
# One cache of weights for all nodes, filled before a GPU is held: apollo fetch, on a login node.
export HF_HOME=${HF_HOME:-$APOLLO_STORE/huggingface}
export HF_HUB_OFFLINE=1

# Whoever reaches Ray's ports can run anything as you: a token of this job's own. It travels by the
# environment that srun hands on, never on a command line, where every user would see it.
export RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export RAY_AUTH_TOKEN
export RAY_USAGE_STATS_ENABLED=0

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$(srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}')
port=$((20000 + SLURM_JOB_ID % 20000)) # two jobs may share a node
# Ray's sockets need a short path, on a local disk.
temporary=/tmp/ray-$SLURM_JOB_ID

srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" \
  ray start --head --block --node-ip-address="$address" --port="$port" \
  --dashboard-host=127.0.0.1 --temp-dir="$temporary" \
  --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="${SLURM_GPUS_ON_NODE:-0}" &

until srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" \
  ray health-check --address "$address:$port" > /dev/null 2>&1; do sleep 2; done

if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
  srun --overlap --nodes=$((SLURM_JOB_NUM_NODES - 1)) --ntasks-per-node=1 --exclude="$head" \
    ray start --block --address="$address:$port" \
    --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="${SLURM_GPUS_ON_NODE:-0}" &
  # They need not all be there at once: what comes later gets work when it comes.
  sleep 20
fi

# 120 s before the time limit Slurm sends USR1 (see --signal), when it preempts or cancels TERM.
# `apollo run` stops cleanly either way and gives its leases back.
out_of_time=
run() {
  srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" "$@" &
  running=$!
  trap 'kill -TERM "$running"' TERM
  trap 'out_of_time=yes; kill -TERM "$running"' USR1
  status=0
  wait "$running" || status=$?
  wait "$running" 2> /dev/null || true
  return "$status"
}

code=0
run apollo doctor "$sweep" --address "$address:$port" &&
  run apollo run "$sweep" --address "$address:$port" || code=$?
# At its time limit Slurm ends a job for good, `--requeue` or not.
if [ -n "$out_of_time" ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
