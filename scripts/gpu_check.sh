#!/usr/bin/env bash
# Checks this project on a machine with an NVIDIA card in one go, within ten minutes: builds the cuda preset for that
# card, runs all tests there, trains the quickstart on the card, times training and inference beside torchvision's network
# and writes docs/results/gpu.json, gpu.md and gpu-details.json (and gpu-tests.log if a test fails).
#
#   scripts/gpu_check.sh [--program FILE] [--rows train:32x128,...] [--minutes 9] [--no-tests] [--revision TEXT]
#                        [-o docs/results/gpu]
#
# Needs the driver, CUDA's compiler, CMake, Ninja and a python3 with PyTorch and torchvision, whose LibTorch is built
# against. Other C++ packages come from the system or from .deps/ (a prefix, or the one archive in it, which is unpacked).
# --program takes a program that was built before, elsewhere too, against the same wheel: the test programs beside it are
# run. Whatever fails or lacks time, what was measured is written.
# --revision is what the results name where git cannot be asked.
# Without a card it says so, writes nothing and exits 6.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$repo/build/cuda
program=
rows=train:32x128,train:128x128,train:384x128,infer:384x128
minutes=9
tests=1
revision=
out=$repo/docs/results/gpu

say() { echo "gpu_check: [$SECONDS s] $*" >&2; }
stop() {
  say "$2"
  exit "$1"
}

while (($# > 0)); do
  case $1 in
    -h | --help)
      sed -n '2,15s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --no-tests) tests= ;;
    --program | --rows | --minutes | --revision | -o)
      (($# > 1)) || stop 2 "$1 needs a value"
      case $1 in
        --program) program=$(realpath -- "$2") ;;
        --rows) rows=$2 ;;
        --minutes) minutes=$2 ;;
        --revision) revision=$2 ;;
        -o) out=$(realpath -m -- "$2") ;;
      esac
      shift
      ;;
    *) stop 2 "unknown option $1 (see --help)" ;;
  esac
  shift
done
end=$((minutes * 60))
# left [KEEP [LEAST]]: the seconds until the end, less those that are kept for what follows; at least LEAST, 1
left() {
  local seconds=$((end - SECONDS - ${1:-0})) least=${2:-1}
  echo $((seconds > least ? seconds : least))
}

card=$(nvidia-smi --query-gpu=name,compute_cap --format=csv,noheader 2>/dev/null | head -n 1) || card=
[[ -n $card ]] || stop 6 "there is no NVIDIA card here: nothing was built, tested or measured"
architecture=${card##*, }
architecture=${architecture/./}
say "${card%%, *}, architecture $architecture"

torch=$(python3 -c 'import torch, torchvision; print(torch.utils.cmake_prefix_path)') ||
  stop 6 "python3 lacks PyTorch or torchvision"

if ! command -v nvcc >/dev/null && [[ -x /usr/local/cuda/bin/nvcc ]]; then
  export PATH=$PATH:/usr/local/cuda/bin
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$torch
if [[ -d $repo/.deps ]]; then
  if [[ ! -d $repo/.deps/lib ]]; then
    archive=$(find "$repo/.deps" -maxdepth 1 -name '*.tar.*' | head -n 1)
    [[ -n $archive ]] || stop 6 "$repo/.deps holds neither a prefix nor an archive of one"
    # a bare machine may lack xz, which Python does not need
    tar -xf "$archive" -C "$repo/.deps" 2>/dev/null || python3 -m tarfile -e "$archive" "$repo/.deps"
  fi
  prefix="$repo/.deps;$torch"  # both are searched before the system's
  libraries=$(find "$repo/.deps" -name 'lib*.so*' -printf '%h\n' | sort -u | paste -sd :)
  export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi

# run NAME COMMAND...: quietly; the end of its output is shown if it fails.
run() {
  local name=$1 log=$work/log
  shift
  say "$name"
  timeout "$(left)" "$@" >"$log" 2>&1 || {
    grep -nE '(error|Error)[ :]' "$log" | head -n 10 >&2 || true
    tail -n 30 "$log" >&2
    stop 1 "failed: $name"
  }
}

cd "$repo"
if [[ -n $program ]]; then
  build=$(dirname "$program")
  # one that was built elsewhere looks for LibTorch there
  LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$(python3 -c '
import glob, os, torch
lib = os.path.join(os.path.dirname(torch.__file__), "lib")
print(":".join([lib, *sorted(glob.glob(os.path.join(lib, "../../nvidia/*/lib")))]))')
  export LD_LIBRARY_PATH
else
  run "configuring" cmake --preset cuda -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CUDA_ARCHITECTURES="$architecture" \
    -DTORCH_CUDA_ARCH_LIST="${architecture%?}.${architecture: -1}"
  run "building with $(nproc) jobs" cmake --build "$build" --parallel "$(nproc)"
  program=$build/effnetv2
fi
"$program" --version >&2 || stop 6 "the program does not run here"

# The peers are compiled while the tests run, which hardly use the processors' other half; the timings find them in the cache.
export TORCHINDUCTOR_CACHE_DIR=$work/inductor TRITON_CACHE_DIR=$work/triton
compiling=
compile_peers() {
  TORCHINDUCTOR_COMPILE_THREADS=$(($(nproc) / 8 + 1)) timeout "$(left 240)" python3 scripts/gpu_peers.py --fill-cache \
    --program "$program" --rows "$rows" --seconds "$(left 250)" >"$work/compile.log" 2>&1
}
if [[ -n $tests ]]; then
  compile_peers &
  compiling=$!
fi

results=()
failed=0

# What is kept for the steps that follow: for the training 60 s, for the timings 300.
if [[ -n $tests ]]; then
  say "running all tests"
  seconds=$(left 360)
  timeout "$((seconds + 10))" python3 scripts/gpu_tests.py --build "$build" --seconds "$seconds" --log "$out-tests.log" \
    >"$work/tests.json" || failed=1
  if [[ -s $work/tests.json ]]; then
    results+=(--tests "$work/tests.json")
    say "tests: $(cat "$work/tests.json")"
  else
    say "the tests did not end in time"
  fi
fi

say "training on the card"
timeout "$(left 300)" python3 scripts/gpu_train.py --program "$program" >"$work/training.json" || failed=1
if [[ -s $work/training.json ]]; then
  results+=(--training "$work/training.json")
  say "training: $(cat "$work/training.json")"
else
  say "the training failed or did not end in time"
fi
if [[ -n $compiling ]]; then
  wait "$compiling" || say "not all peers were compiled in time"
  cat "$work/compile.log" >&2
fi

say "timing"
[[ -z $revision ]] || results+=(--revision "$revision")
timeout $(($(left 30 0) + 30)) python3 scripts/gpu_peers.py --program "$program" --rows "$rows" --seconds "$(left 30 0)" \
  --out "$out" "${results[@]}" || failed=1
[[ -s $out.json ]] || stop 1 "the timings failed before anything was measured"
say "$out.json and $out.md are written"
exit "$failed"
