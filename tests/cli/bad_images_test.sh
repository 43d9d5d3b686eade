#!/usr/bin/env bash
# Pictures that a disk may hold and a decoder may fall over: each alone stops a run that takes no bad ones, by name; all
# together are left out and counted by one that does; odd but good ones are trained on. docs/reliability.md has the table.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
program=$1
python=$(command -v python3) || skip "there is no python3"
export XDG_CACHE_HOME=$temp/cache

# unprivileged COMMAND...: without root's leave to read what nobody may read.
unprivileged() { "$@"; }
if [[ $EUID == 0 ]]; then
  unprivileged() { setpriv --bounding-set -dac_override,-dac_read_search --inh-caps -dac_override,-dac_read_search "$@"; }
fi
echo secret >"$temp/secret"
chmod 000 "$temp/secret"
closed=yes
if ! unprivileged true 2>/dev/null || unprivileged cat "$temp/secret" >/dev/null 2>&1; then
  closed=
  unprivileged() { "$@"; }
  echo "bad_images: FILES THAT MAY NOT BE READ ARE NOT TESTED: root cannot lay down its rights here (setpriv)"
fi

"$program" data synth "$temp/drawn" --images-per-class 8 >/dev/null 2>&1
expect_exit 0 "$python" tests/cli/support/odd_images.py "$temp/odd"

# Two classes of drawn pictures, in "$1".
fresh() {
  mkdir "$1"
  cp -r "$temp/drawn/circle" "$temp/drawn/square" "$1"
}
cat >"$temp/tiny.json" <<'JSON'
{
  "name": "tiny", "device": "cpu", "threads": 1,
  "model": {"stages": [{"block": "fused_mbconv", "expand": 1, "kernel": 3, "stride": 2, "channels": 8, "layers": 1}],
            "stem_channels": 8, "head_channels": 16},
  "data": {"root": "set", "image_size": 16, "cache_dir": "packs", "split": {"val": 0.25}},
  "train": {"epochs": 1, "batch_size": 8}, "tensorboard": {"enabled": false}
}
JSON
# train RUN SETTING...
train() {
  local run=$1
  shift
  timeout -s KILL 120 "$program" train "$temp/tiny.json" --run-dir "$temp/$run" --overwrite --set "$@"
}
# as_message PATH: the name as messages write it
as_message() {
  "$python" -c 'import os, sys
text = os.fsencode(sys.argv[1]).decode(errors="surrogateescape")
print("".join(f"\\x{ord(c) & 0xFF:02X}" if ord(c) < 32 or 0xDC80 <= ord(c) < 0xDD00 else c for c in text))' "$1"
}
# one_error_line NAME: stderr's only error is one line with NAME in it
one_error_line() {
  expect_equal "$(grep -c '^error: ' "$errors")" 1 "errors"
  expect_equal "$(tail -n 1 "$errors" | cut -c 1-7)" "error: " "what stands last"
  tail -n 1 "$errors" | grep -qF -e "$1" || fail "the error does not name $1"
  expect_contains "$errors" 'data.on_bad_image to "skip"'
}

# ---- each alone
fresh "$temp/set"
caches=(none ram disk auto)
count=0
while IFS= read -r -d '' file; do
  name=$(basename "$file"; echo x) && name=${name%$'\nx'}
  cp "$file" "$temp/set/circle/$name"
  expect_exit 3 train alone data.cache="${caches[count % 4]}" data.decode="$( ((count % 3)) && echo exact || echo fast)"
  one_error_line "$(as_message "circle/$name")"
  rm "$temp/set/circle/$name"
  count=$((count + 1))
done < <(find "$temp/odd/bad" "$temp/odd/bombs" -type f -print0 | LC_ALL=C sort -z)
((count >= 20)) || fail "only $count bad files were made"

ln -s nowhere "$temp/set/circle/broken.jpg"
expect_exit 3 train alone data.cache=ram
one_error_line "circle/broken.jpg: cannot open: No such file"
ln -sf loop.jpg "$temp/set/circle/loop.jpg"
rm "$temp/set/circle/broken.jpg"
expect_exit 3 train alone data.cache=none
one_error_line "circle/loop.jpg: cannot open: Too many levels of symbolic links"
rm "$temp/set/circle/loop.jpg"
if [[ $closed ]]; then
  cp "$temp/drawn/circle/0000.png" "$temp/set/circle/closed.png"
  chmod 000 "$temp/set/circle/closed.png"
  expect_exit 3 unprivileged timeout -s KILL 120 "$program" train "$temp/tiny.json" --run-dir "$temp/alone" --overwrite
  one_error_line "circle/closed.png: cannot open: Permission denied"
  chmod 644 "$temp/set/circle/closed.png"
  # a folder that cannot be read is no bad picture: what is in it is not known
  chmod 000 "$temp/set/circle"
  expect_exit 3 unprivileged timeout -s KILL 120 "$program" train "$temp/tiny.json" --run-dir "$temp/alone" --overwrite \
    --set data.on_bad_image=skip
  expect_contains "$errors" "circle: cannot read the folder: Permission denied"
  chmod 755 "$temp/set/circle"
  rm "$temp/set/circle/closed.png"
fi

# ---- odd, and pictures: of every format, depth and number of channels; of one pixel; links to files and folders, loops
# of folders, folders called like pictures; pipes are no pictures and are passed over, as is what has no picture's name
cp "$temp"/odd/good/* "$temp"/odd/pixel/* "$temp/set/circle"
mkdir "$temp/set/square/folder.jpg"
cp "$temp/drawn/square/0001.png" "$temp/set/square/folder.jpg/inside.png"
ln -s ../../drawn/square/0002.png "$temp/set/square/link.png"
ln -s .. "$temp/set/square/up"
ln -s "$temp/drawn/ring" "$temp/set/square/elsewhere"
mkfifo "$temp/set/square/pipe.jpg"
cp "$temp/odd/bad/frames-named.jpg" "$temp/set/square/frames.gif"
echo notes >"$temp/set/square/notes.txt"
good=$((16 + $(find "$temp/odd/good" "$temp/odd/pixel" -type f | wc -l) + 2 + 8))
for cache in none ram disk; do
  expect_exit 0 train "odd-$cache" data.cache=$cache
  expect_equal 0 "$(jq .bad_images "$temp/odd-$cache/result.json")" "bad images, $cache"
  expect_equal "$good" "$(sed -n 's/.*; 2 classes, \([0-9]*\) training, \([0-9]*\) validation.*/\1 \2/p' "$errors" |
    awk '{ print $1 + $2 }')" "images, $cache"
  expect_same "$temp/odd-none/checkpoints/last.safetensors" "$temp/odd-$cache/checkpoints/last.safetensors"
done
expect_exit 0 "$program" data stats "$temp/set" --json --size 16
expect_equal "[$good,0,[1,32],[1,400]]" "$(jq -c '[.images, .bad, .width, .height]' "$output")"

# ---- all of it at once
cp "$temp"/odd/bad/* "$temp"/odd/bombs/* "$temp/set/circle"
ln -s nowhere "$temp/set/circle/broken.jpg"
ln -s loop.jpg "$temp/set/circle/loop.jpg"
bad=$((count + 2))
if [[ $closed ]]; then
  cp "$temp/drawn/circle/0000.png" "$temp/set/circle/closed.png"
  chmod 000 "$temp/set/circle/closed.png"
  bad=$((bad + 1))
fi
for name in broken.jpg loop.jpg ${closed:+closed.png}; do printf 'circle/%s\0' "$name"; done >"$temp/bad"
(cd "$temp/odd" && find bad bombs -type f -printf 'circle/%f\0') >>"$temp/bad"
while IFS= read -r -d '' name; do as_message "$name"; done <"$temp/bad" | LC_ALL=C sort >"$temp/bad.txt"
expect_equal "$bad" "$(wc -l <"$temp/bad.txt")" "bad files"

for cache in none ram disk; do
  expect_exit 0 unprivileged timeout -s KILL 120 "$program" train "$temp/tiny.json" --run-dir "$temp/skip-$cache" \
    --set data.on_bad_image=skip data.cache=$cache train.epochs=2
  expect_equal "$bad" "$(jq .bad_images "$temp/skip-$cache/result.json")" "bad images, $cache"
  # each by name, once, and nothing else
  sed -n 's/.*left out, cannot be decoded: //p' "$errors" | LC_ALL=C sort >"$temp/named.txt"
  expect_same "$temp/bad.txt" "$temp/named.txt"
  expect_equal "$bad" "$(grep -c 'left out, cannot be decoded' "$temp/skip-$cache/log.txt")" "lines of the log"
  expect_same "$temp/skip-none/checkpoints/last.safetensors" "$temp/skip-$cache/checkpoints/last.safetensors"
done
# a run that goes on counts them once
expect_exit 0 unprivileged timeout -s KILL 120 "$program" resume "$temp/skip-none" --set train.epochs=3
expect_equal "$bad" "$(jq .bad_images "$temp/skip-none/result.json")" "bad images after resume"

# verify names the same; stats counts them
expect_exit 3 unprivileged timeout -s KILL 120 "$program" data verify "$temp/set" --json
jq -r '.bad[].path' "$output" | LC_ALL=C sort >"$temp/named.txt"
expect_same "$temp/bad.txt" "$temp/named.txt"
expect_equal "$((good + bad))" "$(jq .images "$output")" "images"
expect_exit 0 unprivileged timeout -s KILL 120 "$program" data stats "$temp/set" --json --size 16
expect_equal "[$good,$bad]" "$(jq -c '[.images, .bad]' "$output")" "stats"

# eval leaves out and counts, or stops at the first; predict answers the others and says which it could not read
expect_exit 0 unprivileged timeout -s KILL 120 "$program" eval "$temp/skip-ram" --split all --json --quiet
expect_equal "[$good,$bad]" "$(jq -c '[.samples, .bad_images]' "$output")" "eval"
expect_exit 3 unprivileged timeout -s KILL 120 "$program" eval "$temp/odd-ram" --split all --quiet
grep -qFf "$temp/bad.txt" "$errors" || fail "eval names none of the bad images"
expect_exit 3 unprivileged timeout -s KILL 120 "$program" predict "$temp/skip-ram" "$temp/set/circle" --json
expect_contains "$errors" "$bad of the pictures could not be read"
jq -r '.[] | select(.error) | .path' "$output" | sed "s#^$temp/set/##" | LC_ALL=C sort >"$temp/named.txt"
expect_same "$temp/bad.txt" "$temp/named.txt"
expect_equal "$bad" "$(jq '[.[] | select(.error) | select(.error | test("\n") | not)] | length' "$output")" "reasons"

# what is named on the command line may be anything: it is not waited for, and not read to an end that there is none of
truncate -s 40G "$temp/sparse.jpg"
for path in "$temp/set/square/pipe.jpg" /dev/zero "$temp/sparse.jpg"; do
  expect_exit 3 timeout -s KILL 60 "$program" predict "$temp/skip-ram" "$path" --quiet
  expect_contains "$errors" "$path: "
done
expect_exit 3 timeout -s KILL 60 "$program" predict "$temp/skip-ram" "$temp/set/circle/broken.jpg"
expect_contains "$errors" "broken.jpg: there is no such file"

# ---- memory: a few hundred bytes whose header says 30000 x 30000 cost no more than their bytes
peak() {
  "$python" -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)' "$@"
}
fresh "$temp/small"
without=$(peak "$program" data verify "$temp/small" --threads 1)
cp "$temp"/odd/bombs/* "$temp/small/circle"
with=$(peak "$program" data verify "$temp/small" --threads 1)
echo "bad_images: data verify takes $without MiB without and $with MiB with pictures that say they are of 30000 x 30000"
((with < without + 100)) || fail "header bombs took $with MiB, $without without them"
expect_exit 0 train bombs data.root="$temp/small" data.on_bad_image=skip
without=$(peak "$program" predict "$temp/bombs" "$temp/small/square")
with=$(peak "$program" predict "$temp/bombs" "$temp/small/circle")
((with < without + 100)) || fail "predict took $with MiB for header bombs, $without for pictures"

# ---- nothing left to train on is an error, not an epoch of nothing
mkdir -p "$temp/empty/one" "$temp/empty/two"
for i in 1 2 3 4; do echo x | tee "$temp/empty/one/$i.jpg" >"$temp/empty/two/$i.jpg"; done
for cache in none ram disk; do
  expect_exit 3 train nothing data.root="$temp/empty" data.on_bad_image=skip data.cache=$cache
  expect_contains "$errors" "none of the training images could be used in epoch 1: all of them are bad"
done

echo "bad_images: $count kinds of bad files, $good good ones: ok"
