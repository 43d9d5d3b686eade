#!/usr/bin/env bash
# Proves exact resume on a real run: trains CONFIG once in one piece and once killed with SIGKILL at random moments and
# resumed, then compares final weights, best weights and metrics rows (times aside) byte for byte, and the length of the
# event files, whose records are as long whatever the time.
#
#   scripts/crash_check.sh CONFIG.json [--kills 20] [--seed 1] [--keep DIR] [options of "effnetv2 train"]
#   scripts/crash_check.sh configs/quickstart.json --kills 20 --set train.epochs=3
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=${EFFNETV2:-$repo/build/release/effnetv2}

usage() { sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
case ${1:-} in
  -h | --help) usage && exit 0 ;;
  '' | -*) usage >&2 && exit 2 ;;
esac
config=$1
shift
kills=20
RANDOM=1
folder=
options=()
while (($# > 0)); do
  case $1 in
    --kills) kills=${2:?--kills needs a number} && shift ;;
    --seed) RANDOM=${2:?--seed needs a number} && shift ;;
    --keep) folder=${2:?--keep needs a folder} && shift ;;
    *) options+=("$1") ;;
  esac
  shift
done
if [[ -z $folder ]]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
fi
mkdir -p "$folder"

command=("$program" train "$config" "${options[@]}" --quiet --resume --run-dir)
pause() { sleep "$(awk -v ms="$1" 'BEGIN { printf "%.3f", ms / 1000 }')"; }

rows() { jq -c 'del(.epoch_seconds, .images_per_second)' "$1/metrics.jsonl"; }
events_bytes() { cat "$1"/events.out.tfevents.* 2> /dev/null | wc -c; }
# Exits unless the run that was killed has ended like the one that was not.
compare() {
  local file failed=
  for file in best.safetensors last.safetensors; do
    cmp "$folder/whole/checkpoints/$file" "$folder/killed/checkpoints/$file" || failed=yes
  done
  if [[ $(events_bytes "$folder/whole") != $(events_bytes "$folder/killed") ]]; then
    echo "crash check: the event files differ in length" >&2
    failed=yes
  fi
  diff <(rows "$folder/whole") <(rows "$folder/killed") || failed=yes
  if find "$folder/killed" -name '.tmp-*' | grep .; then
    echo "crash check: temporary files stayed behind" >&2
    failed=yes
  fi
  if [[ -n $failed ]]; then
    echo "crash check: FAILED: the resumed run differs" >&2
    exit 1
  fi
}

echo "crash check: in one piece" >&2
"${command[@]}" "$folder/whole"
whole=$(jq '.seconds * 1000 | ceil' "$folder/whole/result.json")

echo "crash check: with $kills kills" >&2
killed=0
while ((killed < kills)); do
  # not through a function: that would be a shell of its own, and the signal would hit it instead
  "${command[@]}" "$folder/killed" > /dev/null &
  child=$!
  # from the first millisecond of the start-up to well into the training
  pause $((1 + (RANDOM * 32768 + RANDOM) % (whole * 3 / 2 / kills + 1500)))
  code=0
  kill -KILL "$child" 2> /dev/null || true
  wait "$child" 2> /dev/null || code=$?
  if ((code == 137)); then
    killed=$((killed + 1))
  elif ((code == 0)); then
    compare
    echo "crash check: the run was over after $killed kills; once more" >&2
    rm -rf "$folder/killed"
  else
    echo "crash check: FAILED: exit code $code" >&2
    exit 1
  fi
done
"${command[@]}" "$folder/killed"
compare
echo "crash check: $kills kills, identical: $(wc -l < "$folder/whole/metrics.jsonl") metrics rows, best and last weights"
