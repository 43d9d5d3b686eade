#!/usr/bin/env bash
# scripts/gpu_check.sh without a card, and its whole course with stand-ins for the card, CMake, ctest and Python.
# shellcheck source=tests/cli/lib.sh
source "$(dirname "$0")/lib.sh"
check=$repo/scripts/gpu_check.sh
bin=$temp/bin
mkdir "$bin"
export CALLS=$temp/calls

# stand_in NAME: a program of that name, read from stdin, that notes its arguments in $CALLS first
stand_in() {
  {
    echo "#!/usr/bin/env bash"
    echo "echo \"$1 \$*\" >>\"\$CALLS\""
    cat
  } >"$bin/$1"
  chmod +x "$bin/$1"
}

# no card: says so, exit 6, nothing written
stand_in nvidia-smi <<<'exit 9'
expect_exit 6 env PATH="$bin:$PATH" "$check" -o "$temp/none/gpu"
expect_contains "$errors" "there is no NVIDIA card here"
expect_no_file "$temp/none"
expect_equal "$(wc -l <"$CALLS")" 1

expect_exit 2 "$check" --sideways
expect_contains "$errors" "unknown option --sideways"
expect_exit 0 "$check" --help
expect_contains "$output" "scripts/gpu_check.sh"

command -v python3 >/dev/null || skip "the rest needs python3, which is not here"

# ---- the whole course on the CPU: a program, a torch and a card that stand in for themselves
stand_in nvidia-smi <<'EOF'
case $* in
  *used_memory*) [[ -z ${BUSY:-} ]] || echo "$PPID, 1000" ;;
  *) echo "Stand-in 9000, 9.0" ;;
esac
EOF
fake=$temp/fake
mkdir -p "$fake/torch" "$fake/torchvision"
cat >"$fake/torch/__init__.py" <<'EOF'
"""Whatever is asked of it exists; a step takes 20 ms eager and 10 ms compiled, 16 in mode default."""
import os, sys
from unittest import mock

class Event:
    def __init__(self, **_): pass
    def record(self): pass
    def elapsed_time(self, _): return fake.milliseconds

def compiled(module, dynamic, mode="default"):
    if mode in os.environ.get("NO_MODES", "").split(","):
        sys.exit("no compiler here")
    fake.milliseconds = 16.0 if mode == "default" else 10.0
    return module

fake = mock.MagicMock()
fake.milliseconds = 20.0
fake.__spec__, fake.__path__, fake.__version__ = __spec__, [], "2.11.0+fake"
fake.compile = compiled
fake.cuda.Event = Event
fake.cuda.get_device_name = lambda _: "Stand-in 9000"
fake.cuda.max_memory_reserved = lambda: 3 * 2**30
fake.cuda.max_memory_allocated = lambda: 2 * 2**30
fake.device = lambda name: mock.MagicMock(type=name)
fake.utils.cmake_prefix_path = "/somewhere/cmake"
fake.__file__ = __file__
sys.modules[__name__] = fake
EOF
cat >"$fake/torchvision/__init__.py" <<'EOF'
import sys
from unittest import mock
fake = mock.MagicMock()
fake.__version__ = "0.26.0+fake"
sys.modules[__name__] = fake
EOF
build=$temp/build
mkdir "$build"
cat >"$build/effnetv2" <<'EOF'
#!/usr/bin/env bash
# 4 ms a step; FAIL_AT names an image size at which it fails
set -e
result='{"median_step_ms": 4.0, "peak_memory_bytes": 1073741824}'
case $1 in
  --version) printf 'effnetv2 0.1.0\nrevision abc\nLibTorch 2.11.0\nCUDA 13.0\n' ;;
  bench)
    echo "effnetv2 $*" >>"$CALLS"
    if [[ -n ${FAIL_AT:-} ]] && grep -q "\"image_size\": $FAIL_AT" "$2"; then
      echo "out of memory" >&2
      exit 6
    fi
    echo "$result"
    while read -r _; do echo "$result"; done
    echo '{"profile": {"ceilings": {"bf16_gflops_per_second": 5e5, "gflops_per_second": 5e4, "gbytes_per_second": 3000.0},
      "operations": [{"name": "aten::conv2d 1x1", "calls": 40.0, "ms": 2.0, "share": 0.5, "gflops_per_second": 1.0,
      "gbytes_per_second": 1.0, "share_of_ceiling": 0.25}]}}' | tr -d '\n'
    echo
    ;;
  data) mkdir -p "$3" ;;
  train)
    while (($# > 0)); do
      [[ $1 != --run-dir ]] || { mkdir -p "$2" && echo '{"epochs": 10, "seconds": 3.21}' >"$2/result.json"; }
      shift
    done
    ;;
  eval) echo "{\"loss\": 0.1, \"top1\": ${TOP1:-0.98}}" ;;
esac
EOF
cat >"$build/effnetv2_nn_tests" <<'EOF'
#!/usr/bin/env bash
[[ $GTEST_SHARD_INDEX == 0 ]] || { echo '{"testsuites": []}' >"${1#--gtest_output=json:}" && exit; }
failed='{"name": "b", "result": "COMPLETED", "failures": [{"failure": "1 is not 2"}]},'
cat >"${1#--gtest_output=json:}" <<JSON
{"testsuites": [{"name": "A", "testsuite": [${FAILS:+$failed} {"name": "a", "result": "COMPLETED"},
  {"name": "c", "result": "SKIPPED"}]}]}
JSON
exit "${FAILS:-0}"
EOF
cp "$build/effnetv2_nn_tests" "$build/effnetv2_base_tests"
chmod +x "$build"/*
# the tests of the command line are not run within one of them
mkdir "$temp/none_here"
sed "s#gpu_tests.py#gpu_tests.py --cli-tests '$temp/none_here'#" "$check" >"$temp/check.sh"
sed -i "s#^repo=.*#repo=$repo#" "$temp/check.sh"
run_check() { PATH="$bin:$PATH" PYTHONPATH=$fake PYTHONDONTWRITEBYTECODE=1 bash "$temp/check.sh" --program "$build/effnetv2" "$@"; }
# jq 1.7 keeps a number as it was written until it is calculated with
field() { jq -c "$1 | walk(if type == \"number\" then . + 0 else . end)" "$temp/some/gpu.json"; }

expect_exit 0 run_check -o "$temp/some/gpu" --revision abc123
expect_contains "$errors" "Stand-in 9000, architecture 90"
expect_equal "$(field 'keys_unsorted')" '["card","date","versions","rows","tests"]'
expect_equal "$(field '[.rows[].work]')" \
  '["train 32 px, batch 128","train 128 px, batch 128","train 384 px, batch 128","infer 384 px, batch 128"]'
expect_equal "$(field '.rows[0] | del(.work)')" \
  '{"ours":32000,"eager":6400,"compiled":12800,"peak_memory_ours":1073741824,"peak_memory_eager":3221225472}'
expect_equal "$(field '[.card, .versions.effnetv2, .versions.torch]')" '["Stand-in 9000","abc123","2.11.0+fake"]'
expect_equal "$(field '.tests | [.passed, .failed, .skipped, .quickstart.seconds]')" '[2,0,2,3.2]'
expect_contains "$temp/some/gpu.md" "| 5.00 (wanted 5.0: met) | 12800 (reduce-overhead) | 2.50 (wanted 1.5: met) |"
expect_contains "$temp/some/gpu.md" "| aten::conv2d 1x1 | 40 | 2.000 | 50.0% | 25% |"
expect_equal "$(jq -c '.rows["train:32x128"] | [.ours.rounds, .eager.rounds | length]' "$temp/some/gpu-details.json")" '[16,4]'
expect_no_file "$temp/some/gpu-tests.log"

# what fails is null, the rest is there; so does a failed test or a bad training not keep the timings from being written
FAILS=1 FAIL_AT=128 NO_MODES=default,reduce-overhead TOP1=0.5 expect_exit 1 run_check -o "$temp/some/gpu" \
  --rows train:128x128,infer:384x128
expect_equal "$(field '[.rows[] | [.ours, .eager, .compiled]]')" '[[null,6400,12800],[32000,6400,12800]]'
expect_equal "$(field '.tests | [.failed, .failures, (.quickstart.faults | length)]')" '[2,["A.b","A.b"],1]'
expect_contains "$temp/some/gpu.md" "not measured (wanted 2.0)"
expect_contains "$temp/some/gpu.md" "- train:128x128: ours: exited with 6: out of memory"
expect_contains "$temp/some/gpu-tests.log" "1 is not 2"

# no time is left to time in: the table is there and says so
expect_exit 1 run_check -o "$temp/some/gpu" --no-tests --rows train:32x128 --minutes 0
expect_equal "$(field '.rows[0].ours')" null

echo "gpu_check: ok"
