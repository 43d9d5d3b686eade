#!/usr/bin/env bash
# With deterministic: true a run on a card that is stopped and resumed, or repeated, ends with the same bytes.
# shellcheck source=tests/cli/lib.sh
source "$(dirname "$0")/lib.sh"
program=${1:?the program}
need_card "$program"

"$program" data synth "$temp/shapes" --images-per-class 12 >/dev/null 2>&1
# 15 batches an epoch, the last one short; all that draws random numbers is on
cat >"$temp/small.json" <<'JSON'
{
  "name": "small", "device": "cuda", "deterministic": true,
  "model": {"stages": [{"block": "fused_mbconv", "expand": 1, "kernel": 3, "stride": 1, "channels": 8, "layers": 2},
                       {"block": "fused_mbconv", "expand": 2, "kernel": 3, "stride": 2, "channels": 16, "layers": 2},
                       {"block": "mbconv", "expand": 4, "kernel": 3, "stride": 2, "channels": 24, "layers": 2},
                       {"block": "mbconv", "expand": 4, "kernel": 5, "stride": 2, "channels": 40, "layers": 2}],
            "stem_channels": 8, "head_channels": 64, "dropout": 0.2, "stochastic_depth": 0.2},
  "data": {"root": "shapes", "image_size": 32, "augment": {"flip": 0.5}, "split": {"val": 0.2}},
  "train": {"epochs": 4, "batch_size": 7, "optimizer": {"lr": 0.002}, "ema": {"decay": 0.99}}
}
JSON

for precision in bf16 fp32; do
  run() { expect_exit 0 "$program" "$@" --quiet; }
  whole=$temp/$precision-whole
  run train "$temp/small.json" --set "precision=$precision" --run-dir "$whole"
  run train "$temp/small.json" --set "precision=$precision" --run-dir "$temp/$precision-again"
  expect_same "$whole/checkpoints/last.safetensors" "$temp/$precision-again/checkpoints/last.safetensors"

  # in two parts, each a process of its own
  parts=$temp/$precision-parts
  run train "$temp/small.json" --set "precision=$precision" --set train.epochs=2 --run-dir "$parts"
  run resume "$parts" --set train.epochs=4
  expect_same "$whole/checkpoints/last.safetensors" "$parts/checkpoints/last.safetensors"
  expect_equal "$(jq -c '[.epoch, .train_loss, .val_loss]' "$whole/metrics.jsonl")" \
    "$(jq -c '[.epoch, .train_loss, .val_loss]' "$parts/metrics.jsonl")" "$precision metrics"

  # interrupted in the middle of an epoch
  cut=$temp/$precision-cut
  "$program" train "$temp/small.json" --set "precision=$precision" --run-dir "$cut" --quiet >/dev/null 2>&1 &
  pid=$!
  wait_for 120 test -s "$cut/metrics.jsonl"
  kill -TERM "$pid" 2>/dev/null || true
  wait "$pid" || true
  run resume "$cut"
  expect_same "$whole/checkpoints/last.safetensors" "$cut/checkpoints/last.safetensors"
done

echo "cuda_resume: ok"
