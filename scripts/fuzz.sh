#!/usr/bin/env bash
# Lets libFuzzer look for files that the readers of weights, packs and JPEGs cannot bear, with AddressSanitizer and UBSan.
#
#   scripts/fuzz.sh SECONDS [TARGET...]       # so long for each of jpeg, pack, safetensors, torch_file, torch_pickle, in turn
#   scripts/fuzz.sh --merge                   # afterwards: what was found and is new, into tests/fuzz/corpus
#
# What a crash was made from lies in build/fuzz/found/<target>. Needs clang with its fuzzer (Debian: clang).
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
all=(jpeg pack safetensors torch_file torch_pickle)
committed=tests/fuzz/corpus
found=build/fuzz/found
# more would not be read by anyone; large inputs only slow the search down
max_length=16384

usage() {
  sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
}

case ${1:-} in
  --merge)
    for target in "${all[@]}"; do
      mkdir -p "$found/$target/corpus"
      "build/fuzz/fuzz_$target" -merge=1 -max_len=$max_length "$committed/$target" "$found/$target/corpus" tests/golden
    done
    exit 0
    ;;
  '' | -h | --help | *[!0-9]*)
    if [[ ${1:-} == -h || ${1:-} == --help ]]; then
      usage
      exit 0
    fi
    usage >&2
    exit 2
    ;;
esac

seconds=$1
shift
(($# > 0)) || set -- "${all[@]}"
[[ -f build/fuzz/build.ninja ]] || cmake --preset fuzz
cmake --build --preset fuzz
for target in "$@"; do
  mkdir -p "$found/$target/corpus"
  echo "fuzz: $target for $seconds s"
  "build/fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=$max_length -timeout=20 -rss_limit_mb=2048 \
    -artifact_prefix="$found/$target/" -print_final_stats=1 "$found/$target/corpus" "$committed/$target" tests/golden
done
