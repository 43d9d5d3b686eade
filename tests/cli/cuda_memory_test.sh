#!/usr/bin/env bash
# A batch that does not fit on the card: exit 6, a message with a batch size that would, and nothing lost.
# shellcheck source=tests/cli/lib.sh
source "$(dirname "$0")/lib.sh"
program=${1:?the program}
need_card "$program"

"$program" data synth "$temp/shapes" --images-per-class 16 >/dev/null 2>&1
# EfficientNetV2-S holds several gigabytes for each picture of this size: 96 are more than any card has
cat >"$temp/large.json" <<'JSON'
{
  "name": "large", "device": "cuda",
  "data": {"root": "shapes", "image_size": 2048, "cache": "none", "split": {"val": 0.2}},
  "train": {"epochs": 1, "batch_size": 96, "optimizer": {"lr": 0.001}}
}
JSON
expect_exit 6 "$program" train "$temp/large.json" --run-dir "$temp/large" --quiet
expect_contains "$errors" "train.batch_size"
expect_contains "$errors" "96"
fits=$(grep -oE 'train\.batch_size[^0-9]*[0-9]+' "$errors" | grep -oE '[0-9]+$' | sort -n | head -n 1)
((fits > 0 && fits < 96)) || fail "$fits is no batch size that would fit"

# what the message says is true
expect_exit 0 "$program" bench "$temp/large.json" --set "train.batch_size=$fits" --set model.num_classes=10 --steps 1 \
  --warmup 1 --quiet

# an epoch's results outlive the failure of a later one
small=(--set data.image_size=32 --set train.batch_size=16)
expect_exit 0 "$program" train "$temp/large.json" "${small[@]}" --run-dir "$temp/kept" --quiet
cp "$temp/kept/checkpoints/last.safetensors" "$temp/last"
expect_exit 6 "$program" train "$temp/large.json" --run-dir "$temp/large" --overwrite --quiet
expect_same "$temp/last" "$temp/kept/checkpoints/last.safetensors"
expect_exit 0 "$program" resume "$temp/kept" --set train.epochs=2 --quiet

echo "cuda_memory: ok"
