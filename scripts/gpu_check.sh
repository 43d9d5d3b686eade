#!/usr/bin/env bash
# Checks this project on a machine with an NVIDIA card in one go, within ten minutes: builds the cuda preset for that
# card, runs all tests there, times training beside torchvision's network and writes docs/results/gpu.json and gpu.md.
#
#   scripts/gpu_check.sh [--program FILE] [--rows 32x128,...] [--minutes 10] [--no-tests] [-o docs/results/gpu]
#
# Needs the driver, CUDA's compiler, CMake, Ninja and a python3 with PyTorch and torchvision, whose LibTorch is built
# against. Other C++ packages come from the system or from .deps/ (a prefix, or the one archive in it, which is unpacked).
# --program takes a program that is built already: its build folder's tests are run if there are any.
# Without a card it says so, writes nothing and exits 6.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$repo/build/cuda
program=
rows=32x128,128x128,384x64
minutes=10
tests=1
out=$repo/docs/results/gpu

say() { echo "gpu_check: [$SECONDS s] $*" >&2; }
stop() {
  say "$2"
  exit "$1"
}

while (($# > 0)); do
  case $1 in
    -h | --help)
      sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --no-tests) tests= ;;
    --program | --rows | --minutes | -o)
      (($# > 1)) || stop 2 "$1 needs a value"
      case $1 in
        --program) program=$(realpath -- "$2") ;;
        --rows) rows=$2 ;;
        --minutes) minutes=$2 ;;
        -o) out=$(realpath -m -- "$2") ;;
      esac
      shift
      ;;
    *) stop 2 "unknown option $1 (see --help)" ;;
  esac
  shift
done
end=$((minutes * 60))
left() { echo $((end - SECONDS > 1 ? end - SECONDS : 1)); }

card=$(nvidia-smi --query-gpu=name,compute_cap --format=csv,noheader 2>/dev/null | head -n 1) || card=
[[ -n $card ]] || stop 6 "there is no NVIDIA card here: nothing was built, tested or measured"
architecture=${card##*, }
architecture=${architecture/./}
say "${card%%, *}, architecture $architecture"

torch=$(python3 -c 'import torch, torchvision; print(torch.utils.cmake_prefix_path)') ||
  stop 6 "python3 lacks PyTorch or torchvision"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$torch
if [[ -d $repo/.deps ]]; then
  if [[ ! -d $repo/.deps/lib ]]; then
    archive=$(find "$repo/.deps" -maxdepth 1 -name '*.tar.*' | head -n 1)
    [[ -n $archive ]] || stop 6 "$repo/.deps holds neither a prefix nor an archive of one"
    tar -xf "$archive" -C "$repo/.deps"
  fi
  prefix="$repo/.deps;$torch"
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
else
  run "configuring" cmake --preset cuda -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CUDA_ARCHITECTURES="$architecture" \
    -DTORCH_CUDA_ARCH_LIST="${architecture%?}.${architecture: -1}"
  run "building with $(nproc) jobs" cmake --build "$build" --parallel "$(nproc)"
  program=$build/effnetv2
fi
"$program" --version >&2

results=()
failed=0
if [[ -n $tests && -f $build/CTestTestfile.cmake ]]; then
  say "running all tests"
  # three minutes stay for the timings; each test has LibTorch with CUDA to load and takes memory on the card
  timeout $(($(left) > 200 ? $(left) - 180 : 20)) ctest --test-dir "$build" --parallel "$(($(nproc) / 2 + 1))" \
    --output-on-failure --output-junit "$work/tests.xml" >"$work/tests.log" 2>&1 || failed=1
  ((failed == 0)) || tail -n 60 "$work/tests.log" >&2
  if [[ -f $work/tests.xml ]]; then
    python3 - "$work/tests.xml" >"$work/tests.json" <<'PYTHON'
import json, sys, xml.etree.ElementTree as xml

cases = xml.parse(sys.argv[1]).getroot().findall("testcase")
names = lambda status: [case.get("name") for case in cases if case.get("status") == status]
skipped = [case.get("name") for case in cases if case.find("skipped") is not None]
failures = names("fail")
json.dump({"passed": len(cases) - len(failures) - len(skipped), "failed": len(failures), "skipped": len(skipped),
           "failures": failures, "seconds": round(sum(float(case.get("time", 0)) for case in cases), 1)}, sys.stdout)
PYTHON
    results=(--tests "$work/tests.json")
    say "tests: $(cat "$work/tests.json")"
  else
    say "the tests did not end in time"
  fi
fi

say "timing"
seconds=$(left)
timeout "$seconds" python3 scripts/gpu_peers.py --program "$program" --rows "$rows" --seconds $((seconds - 90)) \
  --out "$out" "${results[@]}" || stop 1 "the timings failed or did not end in time"
say "$out.json and $out.md are written"
exit "$failed"
