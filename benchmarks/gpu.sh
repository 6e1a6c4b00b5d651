#!/usr/bin/env bash
# What a CUDA machine does with all this, in one call of under ten minutes:
#
#     bash benchmarks/gpu.sh [OUT] [DATA_DIR]
#
# 20 seeds of the CIFAR recipe (two episodes of it) in a loop and by four processes on the one card,
# the stacked fit and look beside the loop, k-center at the paper's setting (N = 50,000, D = 512,
# 10,000 centers, 5,000 picks), and every strategy once. OUT/gpu.md has the seconds of each, whole
# commands; OUT/stacked.md and OUT/strategies.md their tables; OUT/*.log what was said. A step that
# takes longer than its share of the ten minutes is given up, and the table says so (124).
#
# It has not been run on a GPU. On a CPU it works with SMALL=1, which shows that and nothing else.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."
out=${1:-benchmarks/results/gpu}
data=${2:-}
python=${PYTHON:-python}
if [ -n "${SMALL:-}" ]; then
  small=--small patience=5 seeds=2 points=2000,32 centers=200 picks=100
  recipe=(--config=digits_random --config.epochs=2)
else
  small='' patience=1 seeds=20 points=50000,512 centers=10000 picks=5000
  recipe=(--config=cifar_random)
fi
[ -n "$data" ] && recipe+=("--config.data.data_dir=$data")
recipe=(launch.py "${recipe[@]}" --config.max_episodes=2 "--config.num_seeds=$seeds"
  --config.wandb.mode=disabled --overwrite)
mkdir -p "$out"
out=$(cd "$out" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

timed() { # SECONDS NAME COMMAND...: adds a row to the table; gives up after so many seconds
  local most=$(($1 * patience)) name=$2 start tenths status=ok
  shift 2
  start=${EPOCHREALTIME/./}
  timeout --kill-after=10 "$most" "$@" >"$out/$name.log" 2>&1 || status="failed ($?)"
  tenths=$(((${EPOCHREALTIME/./} - start) / 100000))
  printf '| %s | %d.%d | %s |\n' "$name" $((tenths / 10)) $((tenths % 10)) "$status" | tee -a "$out/gpu.md"
}

{
  "$python" -c 'import jax; print("jax", jax.__version__, "on", jax.devices())'
  nvidia-smi --query-gpu=name,memory.total --format=csv,noheader 2>/dev/null || echo "no nvidia-smi here"
  printf '\n| what | seconds | |\n|---|---:|---|\n'
} | tee "$out/gpu.md"

timed 190 loop "$python" "${recipe[@]}" --workdir="$scratch/loop"
# Four processes share the card only if none takes most of its memory.
XLA_PYTHON_CLIENT_MEM_FRACTION=.22 \
  timed 120 four_processes "$python" "${recipe[@]}" --config.jobs=4 --workdir="$scratch/four"
timed 80 stacked "$python" benchmarks/stacked.py --seeds "$seeds" $small --out "$out/stacked.md"
"$python" - "$scratch" "$points" "$centers" <<'PY'
import sys
import numpy as np
folder, shape = sys.argv[1], tuple(map(int, sys.argv[2].split(",")))
np.save(f"{folder}/points.npy", np.random.default_rng(0).normal(size=shape).astype(np.float32))
np.save(f"{folder}/centers.npy", np.arange(int(sys.argv[3])))
PY
timed 40 kcenter "$python" -m jax_al.kcenter "$scratch/points.npy" --num-picks "$picks" \
  --initial "$scratch/centers.npy" --out "$scratch/picks.npy"
timed 140 strategies "$python" benchmarks/strategies_once.py $small --out "$out/strategies.md"
