#!/usr/bin/env bash
# Lets libFuzzer look for input that the readers of files and settings cannot bear, with AddressSanitizer and UBSan.
#
#   scripts/fuzz.sh [--jobs N] SECONDS [TARGET...]    # so long for each target (all there are: see --list), N at a time
#   scripts/fuzz.sh --merge [TARGET...]               # afterwards: what was found and is new, into tests/fuzz/corpus
#   scripts/fuzz.sh --list                            # the targets
#
# Ends with a table of what was done, and with 1 if anything crashed. What a crash was made from, and what was said of
# it, lies in build/fuzz/found/<target>. Needs clang with its fuzzer (Debian: clang).
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
committed=tests/fuzz/corpus
found=build/fuzz/found
# more would not be read by anyone; large inputs only slow the search down
max_length=16384
mapfile -t all < <(cd "$committed" && printf '%s\n' *)

usage() {
  sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
}
wrong_usage() {
  echo "fuzz: $*" >&2
  usage >&2
  exit 2
}

# More to begin with than the committed corpus: files that others wrote.
seeds_of() {
  case $1 in
    config) echo configs ;;
    safetensors | torch_*) echo tests/golden ;;
  esac
}

# The words of the format, for a target that has some: every key and choice of the settings, or those of a file beside
# the targets.
write_dictionary() {
  case $1 in
    config) grep -oE '"[a-z0-9_]+"' docs/config.schema.json | sort -u | sed -E 's/"(.*)"/"\\"\1\\":"\n"\\"\1\\""/' ;;
    set) grep -oE '"[a-z0-9_]+"' docs/config.schema.json | sort -u ;;
    *) cat "tests/fuzz/$1.dict" 2>/dev/null || true ;;
  esac
}

# fuzz_one TARGET: what libFuzzer says goes to a log; one line of the table goes to a file beside it.
fuzz_one() {
  local target=$1 folder=$found/$1 begun=$SECONDS crashes=0 dictionary=() runs seeds
  mkdir -p "$folder/corpus"
  write_dictionary "$target" >"$folder/dictionary"
  [[ ! -s $folder/dictionary ]] || dictionary=(-dict="$folder/dictionary")
  read -ra seeds <<<"$(seeds_of "$target")"
  "build/fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=$max_length -timeout=20 -rss_limit_mb=2048 \
    "${dictionary[@]}" -artifact_prefix="$folder/" -print_final_stats=1 \
    "$folder/corpus" "$committed/$target" "${seeds[@]}" >"$folder/log" 2>&1 || crashes=1
  if ((crashes)); then
    tail -n 40 "$folder/log" >&2
    echo "fuzz: $target crashed; all of it in $folder/log" >&2
  fi
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/log")
  echo "| $target | ${runs:-?} | $((SECONDS - begun)) | $crashes |" >"$folder/row"
}

jobs=1
merge=
seconds=
while (($# > 0)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --list)
      printf '%s\n' "${all[@]}"
      exit 0
      ;;
    --merge) merge=yes ;;
    --jobs)
      jobs=${2:-}
      [[ $jobs =~ ^[1-9][0-9]?$ ]] || wrong_usage "--jobs needs a number"
      shift
      ;;
    *) break ;;
  esac
  shift
done
if [[ -z $merge ]]; then
  [[ ${1:-} =~ ^[1-9][0-9]*$ ]] || wrong_usage "for how many seconds?"
  seconds=$1
  shift
fi
(($# > 0)) || set -- "${all[@]}"
for target in "$@"; do
  [[ -d $committed/$target ]] || wrong_usage "there is no target $target"
done

scripts/build.sh --preset fuzz "${@/#/fuzz_}"
if [[ -n $merge ]]; then
  for target in "$@"; do
    mkdir -p "$found/$target/corpus"
    read -ra seeds <<<"$(seeds_of "$target")"
    # edges, not how often each was passed: tens of files, not thousands
    "build/fuzz/fuzz_$target" -set_cover_merge=1 -use_counters=0 -max_len=4096 \
      "$committed/$target" "$found/$target/corpus" "${seeds[@]}"
  done
  exit 0
fi

for target in "$@"; do
  while (($(jobs -rp | wc -l) >= jobs)); do
    wait -n || true
  done
  echo "fuzz: $target for $seconds s" >&2
  fuzz_one "$target" &
done
wait
echo "| target | runs | seconds | crashes |"
echo "|---|---|---|---|"
rows=$(for target in "$@"; do cat "$found/$target/row"; done)
echo "$rows"
! grep -q '| [1-9][0-9]* |$' <<<"$rows"
