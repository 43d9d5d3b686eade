#!/usr/bin/env bash
# The bench verb: each mode gives its figures, as text and as one JSON document.
# shellcheck source=tests/cli/lib.sh
source "$(dirname "$0")/lib.sh"
program=${1:?the program}

cat >"$temp/tiny.json" <<'JSON'
{
  "device": "cpu", "threads": 1,
  "model": {"stages": [{"block": "mbconv", "expand": 2, "kernel": 3, "stride": 2, "channels": 8, "layers": 1}],
            "stem_channels": 8, "head_channels": 16, "num_classes": 10},
  "data": {"image_size": 16},
  "train": {"batch_size": 6}
}
JSON
bench=("$program" bench "$temp/tiny.json" --steps 3 --warmup 1)

# what CLI.md promises, and that the figures fit one another
for mode in train infer; do
  for precision in fp32 bf16; do
    expect_exit 0 "${bench[@]}" --mode "$mode" --set "precision=$precision" --json
    expect_equal "$(jq -c '[.mode, .device, .precision, .threads, .image_size, .batch_size, .steps]' "$output")" \
      "[\"$mode\",\"cpu\",\"$precision\",1,16,6,3]"
    expect_equal "$(jq '.median_step_ms > 0 and .peak_memory_bytes > 1e6 and .min_step_ms <= .median_step_ms' "$output")" true
    expect_equal "$(jq '(.images_per_second * .median_step_ms / 6000 - 1) | fabs < 1e-9' "$output")" true
  done
done
expect_exit 0 "${bench[@]}"
expect_contains "$output" "train on cpu, fp32, 1 threads: 6 x 16 px, 3 steps"
expect_contains "$output" "images/s"

# data: the images that came, though the last batch of an epoch is short
"$program" data synth "$temp/shapes" --images-per-class 2 >/dev/null 2>&1
data=("${bench[@]}" --mode data --set "data.root=$temp/shapes" --set data.split.val=0 --set data.cache=none)
expect_exit 0 "${data[@]}" --json --set train.batch_size=500
expect_equal "$(jq '(.images_per_second * .mean_step_ms / 20000 - 1) | fabs < 1e-9' "$output")" true
expect_exit 2 "${data[@]}" --set train.batch_size=500 --set train.drop_last=true
expect_contains "$errors" "train.drop_last: leaves no batch"
expect_exit 2 "$program" bench "$temp/tiny.json" --mode data
expect_contains "$errors" "data.root"
expect_exit 2 "${bench[@]}" --set model.num_classes=null
expect_contains "$errors" "model.num_classes"
expect_exit 2 "$program" bench "$temp/tiny.json" --steps 0

echo "bench: ok"
