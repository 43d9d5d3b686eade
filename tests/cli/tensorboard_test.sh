#!/usr/bin/env bash
# What TensorBoard itself reads from the event file of runs that were stopped, killed, resumed and damaged.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

program=$1
need_python tensorboard numpy

"$program" data synth "$temp/shapes" --images-per-class 12 > /dev/null 2>&1
cat > "$temp/tiny.json" << 'JSON'
{
  "name": "tiny", "device": "cpu", "threads": 1,
  "model": {"stages": [{"block": "fused_mbconv", "expand": 1, "kernel": 3, "stride": 1, "channels": 8, "layers": 1},
                       {"block": "mbconv", "expand": 2, "kernel": 3, "stride": 2, "channels": 16, "layers": 2}],
            "stem_channels": 8, "head_channels": 32, "init": "per_group"},
  "data": {"root": "shapes", "image_size": 16, "augment": {"flip": 0.5}},
  "train": {"epochs": 3, "batch_size": 16, "optimizer": {"lr": 0.005}, "ema": {"decay": 0.9}, "eval_train": true},
  "tensorboard": {"training_images": 5}
}
JSON
tiny=$temp/tiny.json
check() { expect_exit 0 "$python" "$repo/tests/cli/support/check_events.py" "$@"; }

# in one piece
expect_exit 0 "$program" train "$tiny" --run-dir "$temp/plain" --quiet
check "$temp/plain"
expect_contains "$output" "33 scalars, 5 images, 0 weights"
expect_file "$temp/plain/events.out.tfevents.effnetv2"

# without a validation split its columns are left out
expect_exit 0 "$program" train "$tiny" --run-dir "$temp/no-val" --quiet --set data.split.val=0 train.monitor=train_loss \
  tensorboard.training_images=0
check "$temp/no-val"
expect_contains "$output" "24 scalars, 0 images, 0 weights"

# stopped, then killed, then resumed: each epoch once, though the state is older than the last epochs
options=(--set train.epochs=60 checkpoint.every_epochs=7 tensorboard.histograms_every_epochs=20)
for signal in TERM KILL KILL; do
  had=$(wc -l 2> /dev/null < "$temp/cut/metrics.jsonl" || echo 0)
  "$program" train "$tiny" --run-dir "$temp/cut" --resume --quiet "${options[@]}" > /dev/null 2>&1 &
  child=$!
  # shellcheck disable=SC2016
  wait_for 120 bash -c '(($(wc -l < "$1/metrics.jsonl") >= $2 + 10))' _ "$temp/cut" "$had"
  kill -"$signal" $child 2> /dev/null || true
  wait $child 2> /dev/null || true
done
expect_exit 0 "$program" resume "$temp/cut" --quiet
check "$temp/cut" --histograms 20 40 60
expect_contains "$output" "660 scalars, 5 images, 37 weights"

# the config of a longer run stands beside the first; a damaged file is named and made anew
expect_exit 0 "$program" resume "$temp/plain" --quiet --set train.epochs=4
check "$temp/plain"
events=$temp/cut/events.out.tfevents.effnetv2
printf 'x' | dd of="$events" bs=1 seek=1000 conv=notrunc 2> /dev/null
expect_exit 0 "$program" resume "$temp/cut" --set train.epochs=80
expect_contains "$errors" "events.out.tfevents.effnetv2: is not what was there"
check "$temp/cut" --histograms 80

# switched off and on again
expect_exit 0 "$program" train "$tiny" --run-dir "$temp/plain" --overwrite --quiet --set tensorboard.enabled=false
expect_no_file "$temp/plain/events.out.tfevents.effnetv2"
expect_exit 0 "$program" resume "$temp/plain" --quiet --set tensorboard.enabled=true train.epochs=5
check "$temp/plain"
expect_contains "$output" "55 scalars"

echo "tensorboard: ok"
