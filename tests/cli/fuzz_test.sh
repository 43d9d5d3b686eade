#!/usr/bin/env bash
# A short run of libFuzzer on the readers that need no LibTorch; what long runs found is replayed by the unit tests.
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$repo"

command -v clang++ >/dev/null || skip "there is no clang++; Debian has it in clang"
echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' >"$temp/empty.cpp"
clang++ -fsanitize=fuzzer,address,undefined "$temp/empty.cpp" -o "$temp/empty" 2>"$temp/log" ||
  skip "clang++ has no libFuzzer or sanitizers: $(head -n 1 "$temp/log")"

expect_exit 0 scripts/fuzz.sh --list
mapfile -t targets <"$output"
expect_equal "${#targets[@]}" "$(find tests/fuzz/corpus -mindepth 1 -maxdepth 1 -type d | wc -l)" "targets"
expect_exit 2 scripts/fuzz.sh 10 no_such_target
expect_contains "$errors" "there is no target no_such_target"
expect_exit 2 scripts/fuzz.sh config

expect_exit 0 scripts/fuzz.sh --jobs 2 10 config set image_header jpeg
for target in config set image_header jpeg; do
  row=$(grep "^| $target |" "$output") || fail "the table has no row of $target"
  [[ $row =~ ^\|\ $target\ \|\ ([0-9]+)\ \|\ ([0-9]+)\ \|\ 0\ \|$ ]] || fail "an odd row: $row"
  # the slowest does a hundred a second
  ((BASH_REMATCH[1] > 100)) || fail "$target was run ${BASH_REMATCH[1]} times"
done
