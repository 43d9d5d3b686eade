#!/usr/bin/env bash
# Checks this project on a machine with an NVIDIA card in one go, within ten minutes: builds the cuda preset for that
# card, runs all tests there, trains the quickstart on the card, times training beside torchvision's network and writes
# docs/results/gpu.json and gpu.md (and gpu-tests.log if a test fails).
#
#   scripts/gpu_check.sh [--program FILE] [--rows 32x128,...] [--minutes 9] [--no-tests] [--revision TEXT]
#                        [-o docs/results/gpu]
#
# Needs the driver, CUDA's compiler, CMake, Ninja and a python3 with PyTorch and torchvision, whose LibTorch is built
# against. Other C++ packages come from the system or from .deps/ (a prefix, or the one archive in it, which is unpacked).
# --program takes a program that is built already: its build folder's tests are run if there are any.
# --revision is what the results name where git cannot be asked.
# Without a card it says so, writes nothing and exits 6.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$repo/build/cuda
program=
rows=32x128,128x128,384x64
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
      sed -n '2,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
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
# left [KEEP]: the seconds until the end, less those that are kept for what follows; at least 1
left() {
  local seconds=$((end - SECONDS - ${1:-0}))
  echo $((seconds > 1 ? seconds : 1))
}

card=$(nvidia-smi --query-gpu=name,compute_cap --format=csv,noheader 2>/dev/null | head -n 1) || card=
[[ -n $card ]] || stop 6 "there is no NVIDIA card here: nothing was built, tested or measured"
architecture=${card##*, }
architecture=${architecture/./}
say "${card%%, *}, architecture $architecture"

no_cli=()
if ! command -v jq >/dev/null || ! command -v git >/dev/null; then
  say "jq or git is missing here: the tests of the command line, which use them, are left out"
  no_cli=(--label-exclude cli)
fi

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
"$program" --version >&2

results=()
failed=0

# What is kept for the steps that follow: for the training 60 s, for the timings 150.
if [[ -n $tests && -f $build/CTestTestfile.cmake ]]; then
  say "running all tests"
  # each test has LibTorch with CUDA to load and takes memory on the card
  timeout "$(left 210)" ctest --test-dir "$build" --parallel "$(($(nproc) / 2 + 1))" \
    "${no_cli[@]}" --no-tests=error --output-on-failure --output-junit "$work/tests.xml" >"$work/tests.log" 2>&1 || failed=1
  if ((failed > 0)); then
    tail -n 60 "$work/tests.log" >&2
    mkdir -p "$(dirname "$out")"
    cp "$work/tests.log" "$out-tests.log"
  fi
  if [[ -f $work/tests.xml ]]; then
    python3 - "$work/tests.xml" >"$work/tests.json" <<'PYTHON'
import json, sys, xml.etree.ElementTree as xml

cases = xml.parse(sys.argv[1]).getroot().findall("testcase")
names = lambda status: [case.get("name") for case in cases if case.get("status") == status]
skipped = [case.get("name") for case in cases if case.find("skipped") is not None]
failures = names("fail")
json.dump({"passed": len(cases) - len(failures) - len(skipped), "failed": len(failures), "skipped": len(skipped),
           "failures": failures, "skips": skipped, "seconds": round(sum(float(case.get("time", 0)) for case in cases), 1)},
          sys.stdout)
PYTHON
    results+=(--tests "$work/tests.json")
    say "tests: $(cat "$work/tests.json")"
  else
    say "the tests did not end in time"
  fi
fi

say "training on the card"
timeout "$(left 150)" python3 scripts/gpu_train.py --program "$program" >"$work/training.json" || failed=1
if [[ -s $work/training.json ]]; then
  results+=(--training "$work/training.json")
  say "training: $(cat "$work/training.json")"
else
  say "the training failed or did not end in time"
fi

say "timing"
[[ -z $revision ]] || results+=(--revision "$revision")
timeout "$(left)" python3 scripts/gpu_peers.py --program "$program" --rows "$rows" --seconds "$(left 20)" \
  --out "$out" "${results[@]}" || stop 1 "the timings failed or did not end in time"
say "$out.json and $out.md are written"
exit "$failed"
