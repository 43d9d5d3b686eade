#!/usr/bin/env bash
# Measures what a large data set costs: listing a million files, packing and reading back 200,000 pictures, and the
# memory of a training on them. What docs/results/large-data.md reports.
#
#   scripts/large_data.sh DIR [--images 200000] [--files 1000000] [--threads 2] [--size 128] [STEP...]
#
# Steps, all of them in this order if none is named: make, list, pack, read, train. make needs Debian's python3-numpy and
# python3-pil, and 22 GB below DIR for the numbers above. As root the figures from a cold cache are taken too: it drops
# the system's caches. Figures go to stdout, a line each.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=${EFFNETV2:-$repo/build/release/effnetv2}

usage() { sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
case ${1:-} in
  -h | --help) usage && exit 0 ;;
  '' | -*) usage >&2 && exit 2 ;;
esac
dir=$1
shift
images=200000 files=1000000 threads=2 size=128
steps=()
while (($# > 0)); do
  case $1 in
    --images | --files | --threads | --size)
      declare "${1#--}=${2:?$1 needs a number}"
      shift
      ;;
    make | list | pack | read | train) steps+=("$1") ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift
done
((${#steps[@]} > 0)) || steps=(make list pack read train)
classes=1000
batch=128
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
config=$dir/config.json
result=$dir/result.json

# A network that costs nothing beside its data.
cat >"$config" <<JSON
{"name": "large", "device": "cpu", "threads": $threads,
 "model": {"stages": [{"block": "fused_mbconv", "expand": 1, "kernel": 3, "stride": 2, "channels": 8, "layers": 1}],
           "stem_channels": 8, "head_channels": 16},
 "data": {"root": "$dir/pictures", "image_size": $size, "decode": "fast", "split": {"val": 0.05},
          "cache_dir": "$dir/packs", "workers": $threads},
 "train": {"epochs": 1, "batch_size": $batch}}
JSON

# figure NAME VALUE...
figure() {
  local name=$1
  shift
  printf '%-44s %s\n' "$name" "$*"
}

# watched NAME COMMAND...: runs it, then says how long it took and its memory at 20, 50 and 90 % of the time.
watched() {
  local name=$1 start=$EPOCHREALTIME anonymous=() mapped=() peak=0 key value code=0 child
  shift
  "$@" >"$result" 2>"$dir/errors" &
  child=$!
  while kill -0 "$child" 2>/dev/null; do
    while read -r key value _; do
      case $key in
        VmHWM:) peak=$value ;;
        RssAnon:) anonymous+=("$value") ;;
        RssFile:) mapped+=("$value") ;;
      esac
    done </proc/$child/status 2>/dev/null || true
    sleep 0.1
  done
  wait "$child" || code=$?
  if ((code != 0)); then
    cat "$dir/errors" >&2
    exit "$code"
  fi
  local n=${#anonymous[@]}
  at() { echo "$((${1} / 1024))"; }
  figure "$name" "$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f s", b - a }')," \
    "peak $(at "$peak") MiB; anonymous $(at "${anonymous[n / 5]}"), $(at "${anonymous[n / 2]}")," \
    "$(at "${anonymous[n * 9 / 10]}") MiB; mapped $(at "${mapped[n / 5]}"), $(at "${mapped[n / 2]}")," \
    "$(at "${mapped[n * 9 / 10]}") MiB"
}

# cold FILE: out of the page cache
cold() { dd of="$1" oflag=nocache conv=notrunc,fdatasync count=0 status=none; }

step_make() {
  /usr/bin/python3 "$repo/scripts/make_large_set.py" pictures "$dir/pictures" $classes $((images / classes))
  /usr/bin/python3 "$repo/scripts/make_large_set.py" names "$dir/names" $classes $((files / classes))
  figure "pictures" "$(du -s --block-size=1M "$dir/pictures" | cut -f1) MiB on disk"
}

step_list() {
  local list=("$program" train "$config" --dry-run --set data.root="$dir/names")
  watched "nothing but the program" "$program" --version
  if [[ $EUID == 0 ]]; then
    sync
    echo 3 >/proc/sys/vm/drop_caches
    watched "list $files files, nothing cached" "${list[@]}"
  fi
  for _ in 1 2 3; do
    watched "list $files files, cached" "${list[@]}"
  done
}

pack_path() { jq -r '.packs[0].path' "$result"; }

step_pack() {
  rm -rf "$dir/packs"
  local pack=("$program" data pack "$config" --json)
  watched "pack a tenth, decode exact" "${pack[@]}" --set data.decode=exact --set data.images_per_class=$((images / classes / 10))
  figure "  rate" "$(jq '.packs[0].images_per_second | round' "$result") images/s"
  rm "$(pack_path)"
  watched "pack, decode fast" "${pack[@]}"
  figure "  rate" "$(jq '.packs[0].images_per_second | round' "$result") images/s"
  figure "  pack" "$(jq '.packs[0].bytes' "$result") bytes of $(jq '.packs[0].images' "$result") images"
  watched "find it again" "${pack[@]}"
}

step_read() {
  local steps_of_all=$((images * 95 / 100 / batch)) name
  local bench=("$program" bench "$config" --mode data --json --warmup 5)
  "$program" data pack "$config" --json >"$result"
  local pack
  pack=$(pack_path)
  cold "$pack"
  watched "read from the pack, nothing cached" "${bench[@]}" --set data.cache=disk --steps $((steps_of_all - 5))
  figure "  rate" "$(jq '.images_per_second | round' "$result") images/s"
  for name in "first checked" again; do
    watched "read from the pack, cached, $name" "${bench[@]}" --set data.cache=disk \
      --steps $((steps_of_all * (${#name} > 5 ? 1 : 3)))
    figure "  rate" "$(jq '.images_per_second | round' "$result") images/s"
  done
  watched "decode a tenth at each use, decode fast" "${bench[@]}" --set data.cache=none --steps $((steps_of_all / 10))
  figure "  rate" "$(jq '.images_per_second | round' "$result") images/s"
}

step_train() {
  local cache
  for cache in none disk; do
    watched "train and validate, data.cache $cache" "$program" train "$config" --set data.cache=$cache \
      --run-dir "$dir/run-$cache" --overwrite --quiet
    jq -c 'del(.epoch_seconds, .images_per_second)' "$dir/run-$cache/metrics.jsonl" >"$dir/$cache.metrics"
  done
  cmp "$dir/none.metrics" "$dir/disk.metrics"
  figure "  metrics" "equal to the last digit"
}

for step in "${steps[@]}"; do
  "step_$step"
done
