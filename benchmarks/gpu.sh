#!/usr/bin/env bash
# What a CUDA machine does with all this, in one call of under ten minutes:
#
#     bash benchmarks/gpu.sh [OUT] [DATA_DIR]
#
# 20 seeds of the CIFAR recipe (two episodes of it) in a loop and by four processes on the one card, the
# stacked fit and look beside the loop, k-center at the paper's setting, and every strategy once. It has
# not run on a GPU yet; on a CPU it works with SMALL=1, which shows that and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-benchmarks/results/gpu}
data=${2:-}
python=${PYTHON:-python}
mkdir -p "$out"
small=${SMALL:-}
seeds=${small:+2}
seeds=${seeds:-20}
recipe=(launch.py --config=cifar_random --config.max_episodes=2 --config.wandb.mode=disabled
  "--config.num_seeds=$seeds" --overwrite)
[ -n "$data" ] && recipe+=("--config.data.data_dir=$data")
[ -n "$small" ] && recipe=(launch.py --config=digits_random --config.max_episodes=2
  --config.wandb.mode=disabled "--config.num_seeds=$seeds" --overwrite)

timed() { # NAME COMMAND...: appends the seconds of a command to the table
  local name=$1 start end
  shift
  start=$(date +%s.%N)
  timeout 240 "$@" >"$out/$name.log" 2>&1 && status=ok || status="failed ($?)"
  end=$(date +%s.%N)
  printf '| %s | %.1f | %s |\n' "$name" "$(echo "$end - $start" | bc)" "$status" | tee -a "$out/gpu.md"
}

{
  "$python" -c 'import jax; print("jax", jax.__version__, "on", jax.devices())'
  nvidia-smi --query-gpu=name,memory.total --format=csv,noheader 2>/dev/null || echo "no nvidia-smi here"
  printf '\n| what | seconds | |\n|---|---:|---|\n'
} | tee "$out/gpu.md"

timed loop "$python" "${recipe[@]}" --workdir="$out/loop"
export XLA_PYTHON_CLIENT_MEM_FRACTION=.22
timed four_processes "$python" "${recipe[@]}" --config.jobs=4 --workdir="$out/four"
unset XLA_PYTHON_CLIENT_MEM_FRACTION
timed stacked "$python" benchmarks/stacked.py --seeds "$seeds" ${small:+--small} --out "$out/stacked.md"
"$python" - "$out/points.npy" ${small:+small} <<'PY'
import sys
import numpy as np
size = (2_000, 32) if len(sys.argv) > 2 else (50_000, 512)
np.save(sys.argv[1], np.random.default_rng(0).normal(size=size).astype(np.float32))
np.save(sys.argv[1] + ".initial.npy", np.arange(size[0] // 5))
PY
timed kcenter "$python" -m jax_al.kcenter "$out/points.npy" --num-picks "${small:+50}${small:-5000}" \
  --initial "$out/points.npy.initial.npy" --out "$out/picks.npy"
timed strategies "$python" benchmarks/strategies_once.py ${small:+--small} --out "$out/strategies.md"
rm -f "$out"/points.npy* "$out/picks.npy"
rm -rf "$out/loop" "$out/four"
