#!/usr/bin/env bash
# effnetv2 data pack and data.cache disk: the same training with every cache; kills, signals, damage, full disks.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
program=$1
export XDG_CACHE_HOME=$temp/caches
packs=$XDG_CACHE_HOME/effnetv2

"$program" data synth "$temp/shapes" --images-per-class 40 --quiet >"$output"
cat >"$temp/tiny.json" <<JSON
{"name": "tiny", "device": "cpu", "threads": 1,
 "model": {"stages": [{"block": "fused_mbconv", "expand": 1, "kernel": 3, "stride": 2, "channels": 8, "layers": 1}],
           "stem_channels": 8, "head_channels": 16},
 "data": {"root": "$temp/shapes", "image_size": 16, "split": {"val": 0.2, "test": 0.1}, "augment": {"flip": 0.5},
          "on_bad_image": "skip"},
 "train": {"epochs": 2, "batch_size": 16}}
JSON
tiny=$temp/tiny.json
echo "no picture" >"$temp/shapes/star/0007.png"

# ---- the same run with every cache, bad images counted alike
rows() { jq -c 'del(.epoch_seconds, .images_per_second)' "$temp/$1/metrics.jsonl"; }
for cache in none ram auto disk; do
  expect_exit 0 "$program" train "$tiny" --set data.cache=$cache --run-dir "$temp/$cache"
  expect_equal "$(rows $cache)" "$(rows none)" "metrics with data.cache $cache"
  expect_same "$temp/$cache/checkpoints/last.safetensors" "$temp/none/checkpoints/last.safetensors"
  expect_equal "$(jq -c '[.test, .bad_images]' "$temp/$cache/result.json")" \
    "$(jq -c '[.test, .bad_images]' "$temp/none/result.json")" "result with data.cache $cache"
  [[ $cache == disk ]] || expect_no_file "$packs"
done
expect_equal "$(jq .bad_images "$temp/disk/result.json")" 1 "bad images"
expect_contains "$temp/disk/log.txt" "train images come from $packs/shapes-"
expect_contains "$temp/disk/log.txt" "test images come from $packs/shapes-"
pack=$(ls "$packs")
expect_equal "$(wc -l <<<"$pack")" 1 "packs of all splits"
# auto takes a pack that stands, and so does eval
expect_exit 0 "$program" train "$tiny" --run-dir "$temp/packed"
expect_contains "$temp/packed/log.txt" "val images come from $packs/$pack"
expect_equal "$(rows packed)" "$(rows none)" "metrics with a pack that stands"
expect_exit 0 "$program" eval "$temp/none" --json --set data.cache=none
jq 'del(.seconds)' "$output" >"$temp/plain"
expect_exit 0 "$program" eval "$temp/none" --json --set data.cache=auto
jq 'del(.seconds)' "$output" >"$temp/from-pack"
expect_same "$temp/plain" "$temp/from-pack"

# ---- what the verb says
expect_exit 0 "$program" data pack "$tiny"
expect_contains "$output" "$packs/$pack"
expect_contains "$output" "400 images"
expect_contains "$output" "1 that cannot be decoded"
expect_contains "$output" "it stood already"
expect_exit 0 "$program" data pack "$tiny" --set data.split.seed=9 --set data.cache_dir="$temp/other" --json
expect_equal "$(jq -c '.packs | map([.images, .bad_images, .decoded, .kept, .copied, .stood_already])' "$output")" \
  '[[400,1,400,0,0,false]]'
expect_equal "$(jq -r '.packs[0].path' "$output")" "$temp/other/$pack" "path"
expect_equal "$(jq '.packs[0].bytes' "$output")" "$(stat -c %s "$packs/$pack")" "bytes"
expect_same "$temp/other/$pack" "$packs/$pack"
[[ ! -s $errors ]] || fail "stderr is not empty without a terminal"
# pictures that are cropped at random are held whole, and others prepared
expect_exit 0 "$program" data pack "$tiny" --set data.augment.random_resized_crop='{}' --json
expect_equal "$(jq -c '.packs | map(.images)' "$output")" '[280,120]'
expect_equal "$(jq -c '.packs | map(.stood_already)' "$output")" '[false,true]' "the others stand already"

# ---- files that change: made anew where it is asked for, with what did not change; the old one is named
touch -d 2001-01-01 "$temp/shapes/star"/*
cp "$temp/shapes/star/0002.png" "$temp/shapes/star/new.png"
expect_exit 0 "$program" train "$tiny" --run-dir "$temp/stale"
for split in train val test; do expect_lacks "$temp/stale/log.txt" "$split images come from"; done
expect_exit 0 "$program" data pack "$tiny" --json
expect_equal "$(jq -c '.packs | map([.images, .decoded, .copied])' "$output")" '[[401,41,360]]'
expect_equal "$(jq -r '.others[].path' "$output")" "$packs/$pack" "others"
expect_exit 0 "$program" data pack "$tiny"
expect_contains "$output" "delete it if nothing else uses it: $packs/$pack, "
rm "$packs"/*
rm "$temp/shapes/star/new.png"

# ---- a bad image stops it, named, and what was done is kept
expect_exit 3 "$program" data pack "$tiny" --set data.on_bad_image=error
expect_contains "$errors" "star/0007.png"
expect_exit 0 "$program" data pack "$tiny" --json
[[ $(jq '.packs[0].kept' "$output") -gt 100 ]] || fail "nothing was kept"

# ---- killed and interrupted at several moments, then finished: the same bytes
# enlarged before they are cropped, which takes time
size=(--set data.image_size=320 --set data.resize=center_crop --set data.resize_size=1000)
large=("${size[@]}" --threads 1)
expect_exit 0 "$program" data pack "$tiny" "${large[@]}" --set data.cache_dir="$temp/whole"
pack=$(ls "$temp/whole")
cut=$temp/cut
journal_holds() { (($(stat -c %s "$cut/$pack.journal" 2>/dev/null || echo 0) >= 64 * $1)); }
kept=0
for signal in KILL TERM KILL INT; do
  "$program" data pack "$tiny" "${large[@]}" --set data.cache_dir="$cut" >/dev/null 2>"$temp/cut.err" &
  child=$!
  wait_for 60 journal_holds $((kept + 1))
  kill -"$signal" $child
  code=0
  wait $child 2>/dev/null || code=$?
  [[ $signal == KILL ]] || expect_equal "$code" 130 "exit code after SIG$signal"
  [[ $signal == KILL ]] || expect_contains "$temp/cut.err" "the same command goes on from here"
  expect_no_file "$cut/$pack"
  kept=$(($(stat -c %s "$cut/$pack.journal") / 64))
done
expect_exit 0 "$program" data pack "$tiny" "${large[@]}" --set data.cache_dir="$cut" --json
expect_equal "$(jq '.packs[0].kept' "$output")" "$kept" "kept"
expect_same "$cut/$pack" "$temp/whole/$pack"
expect_equal "$(ls "$cut")" "$pack" "what is left"

# ---- damage: named and refused, mended where that is asked for
printf 'x' | dd of="$cut/$pack" bs=1 seek=1000000 conv=notrunc 2>/dev/null
expect_exit 3 "$program" train "$tiny" "${size[@]}" --set data.cache=disk --set data.cache_dir="$cut" \
  --run-dir "$temp/damaged"
expect_contains "$errors" "$cut/$pack: is damaged: the checksum of"
expect_exit 0 "$program" data pack "$tiny" "${large[@]}" --set data.cache_dir="$cut" --verify --json
expect_equal "$(jq -c '.packs | map([.decoded, .copied])' "$output")" '[[2,398]]'
expect_same "$cut/$pack" "$temp/whole/$pack"
expect_exit 0 "$program" data pack "$tiny" "${large[@]}" --set data.cache_dir="$cut" --verify
expect_contains "$output" "it stood already"
# of a pack that holds more, or is named after another folder with the same files
more=$temp/more
shapes16=("$tiny" --set data.cache_dir="$more")
expect_exit 0 "$program" data pack "${shapes16[@]}"
pack16=$(ls "$more")
printf 'x' | dd of="$more/$pack16" bs=1 seek=5000 conv=notrunc 2>/dev/null
fewer=("${shapes16[@]}" --set data.images_per_class=25)
expect_exit 0 "$program" data pack "${fewer[@]}" --verify --json
expect_equal "$(jq -c '.packs | map([.images, .stood_already])' "$output")" '[[250,false]]'
expect_exit 0 "$program" data pack "${fewer[@]}" --verify
expect_contains "$output" "it stood already"
expect_exit 0 "$program" train "${fewer[@]}" --set data.cache=disk --run-dir "$temp/fewer"
rm "$more"/*
cp -a "$temp/shapes" "$temp/a_copy"
expect_exit 0 "$program" data pack "${shapes16[@]}" --set data.root="$temp/a_copy"
pack16=$(ls "$more")
printf 'x' | dd of="$more/$pack16" bs=1 seek=5000 conv=notrunc 2>/dev/null
expect_exit 0 "$program" data pack "${shapes16[@]}" --verify
expect_equal "$(ls "$more")" "$pack16" "packs of the same files"
expect_exit 0 "$program" data pack "${shapes16[@]}" --verify
expect_contains "$output" "it stood already"
# a damaged index is told of; the pictures are decoded again, into a pack where one is asked for
truncate -s -1 "$cut/$pack"
expect_exit 0 "$program" train "$tiny" "${size[@]}" --set data.cache_dir="$cut" --run-dir "$temp/shorter"
expect_contains "$errors" "$cut/$pack: is damaged"
expect_exit 0 "$program" train "$tiny" "${size[@]}" --set data.cache=disk --set data.cache_dir="$cut" --run-dir "$temp/anew"
expect_contains "$errors" "$cut/$pack: is damaged"
expect_same "$cut/$pack" "$temp/whole/$pack"

# ---- two at once: the second waits, says so, and finds it there
rm -r "$cut"
"$program" data pack "$tiny" "${large[@]}" --set data.cache_dir="$cut" >/dev/null 2>&1 &
child=$!
wait_for 60 journal_holds 1
kill -STOP $child
"$program" data pack "$tiny" "${large[@]}" --set data.cache_dir="$cut" >"$temp/second.out" 2>"$temp/second.err" &
second=$!
wait_for 60 grep -q "is being made by another process (process $child)" "$temp/second.err"
kill -CONT $child
wait $child
wait $second
expect_contains "$temp/second.out" "it stood already"
expect_same "$cut/$pack" "$temp/whole/$pack"

# ---- folders that cannot take it
echo file >"$temp/file"
expect_exit 6 "$program" data pack "$tiny" --set data.cache_dir="$temp/file/packs"
expect_contains "$errors" "$temp/file"
if [[ $EUID != 0 ]]; then
  mkdir -m 500 "$temp/closed"
  expect_exit 6 "$program" data pack "$tiny" --set data.cache_dir="$temp/closed"
  expect_contains "$errors" "data.cache_dir"
  echo "pack: a full disk was not tried: that needs root, for a small file system" >&2
elif ! unshare -m true 2>/dev/null; then
  echo "pack: a read-only and a full disk were not tried: this root may not mount" >&2
else
  mkdir "$temp/small"
  # shellcheck disable=SC2016
  expect_exit 6 unshare -m bash -c 'mount -t tmpfs -o size=20m none "$1" && shift && "$@"' _ "$temp/small" \
    "$program" data pack "$tiny" "${large[@]}" --set data.cache_dir="$temp/small/packs"
  expect_contains "$errors" "the pack needs 117.2 MiB"
  expect_contains "$errors" "only 20.0 MiB are free"
  # shellcheck disable=SC2016
  expect_exit 6 unshare -m bash -c 'mount -t tmpfs -o ro none "$1" && shift && "$@"' _ "$temp/small" \
    "$program" data pack "$tiny" --set data.cache_dir="$temp/small/packs"
  expect_contains "$errors" "$temp/small/packs"
fi
# a training that asked for the disk ends the same way; auto goes without
expect_exit 6 "$program" train "$tiny" --set data.cache=disk --set data.cache_dir="$temp/file/packs" --run-dir "$temp/no"
expect_exit 0 "$program" train "$tiny" --set data.cache_dir="$temp/file/packs" --run-dir "$temp/yes"
expect_equal "$(HOME='' XDG_CACHE_HOME='' "$program" data pack "$tiny" 2>&1 | grep -c data.cache_dir)" 1

expect_exit 2 "$program" data pack
expect_exit 2 "$program" data pack "$tiny" --verfy
expect_contains "$errors" "did you mean --verify?"
expect_exit 0 "$program" data pack --help
expect_contains "$output" "--verify"

echo "pack: ok"
