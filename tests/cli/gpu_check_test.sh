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

if ! python=$(command -v python3); then
  echo "gpu_check: the rest needs python3, which is not here"
  exit 0
fi

# with a program that is built already: its tests are counted, then the timings are asked for
stand_in nvidia-smi <<<'echo "Stand-in 9000, 9.0"'
stand_in ctest <<'EOF'
while (($# > 0)); do
  if [[ $1 == --output-junit ]]; then
    cat >"$2" <<'XML'
<testsuite tests="4">
  <testcase name="a" time="1.5" status="run"/>
  <testcase name="b" time="0.5" status="run"/>
  <testcase name="c" time="0.2" status="fail"><failure message="x"/></testcase>
  <testcase name="d" time="0" status="notrun"><skipped message="no card"/></testcase>
</testsuite>
XML
  fi
  shift
done
exit 8
EOF
stand_in python3 <<EOF
case \$1 in
  -c) echo /somewhere/cmake ;;
  -) exec $python "\$@" ;;
  *)
    [[ \$1 != *gpu_train.py ]] || echo '{"faults": []}'
    while ((\$# > 0)); do
      [[ \$1 != --tests ]] || cp "\$2" "$temp/counted.json"
      [[ \$1 != --training ]] || cp "\$2" "$temp/trained.json"
      shift
    done
    ;;
esac
EOF
mkdir "$temp/build"
touch "$temp/build/CTestTestfile.cmake"
printf '#!/usr/bin/env bash\necho effnetv2 stand-in\n' >"$temp/build/effnetv2"
chmod +x "$temp/build/effnetv2"
expect_exit 1 env PATH="$bin:$PATH" "$check" --program "$temp/build/effnetv2" -o "$temp/some/gpu" --rows 32x8 \
  --revision abc123
expect_contains "$temp/counted.json" '"passed": 2, "failed": 1, "skipped": 1, "failures": ["c"], "skips": ["d"], "seconds": 2.2'
expect_contains "$CALLS" "gpu_peers.py --program $temp/build/effnetv2 --rows 32x8"
expect_contains "$CALLS" "--out $temp/some/gpu"
expect_contains "$CALLS" "--revision abc123"
expect_contains "$errors" "Stand-in 9000, architecture 90"
expect_equal "$(cat "$temp/trained.json")" '{"faults": []}'
expect_file "$temp/some/gpu-tests.log"

# a training that fails, or that finds a fault, fails the check even if all tests passed, and the timings go on
sed -i 's/^exit 8$/exit 0/' "$bin/ctest"
for answer in '' '{"faults": ["top-1"]}'; do
  : >"$CALLS"
  stand_in python3 <<EOF
case \$1 in
  -c) echo /somewhere/cmake ;;
  -) exec $python "\$@" ;;
  *gpu_train.py)
    printf %s '$answer'
    exit 1
    ;;
esac
EOF
  expect_exit 1 env PATH="$bin:$PATH" "$check" --program "$temp/build/effnetv2" -o "$temp/faulty/gpu"
  expect_contains "$CALLS" gpu_peers.py
done
expect_no_file "$temp/faulty/gpu-tests.log"

# with neither fault it succeeds
stand_in python3 <<EOF
case \$1 in
  -c) echo /somewhere/cmake ;;
  -) exec $python "\$@" ;;
esac
EOF
expect_exit 0 env PATH="$bin:$PATH" "$check" --program "$temp/build/effnetv2" -o "$temp/good/gpu"

# a failed timing fails the check even if all tests passed
stand_in python3 <<<"[[ \$1 == -c ]]"
expect_exit 1 env PATH="$bin:$PATH" "$check" --program "$temp/build/effnetv2" --no-tests
expect_contains "$errors" "the timings failed"

echo "gpu_check: ok"
