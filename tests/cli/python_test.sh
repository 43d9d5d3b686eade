#!/usr/bin/env bash
# A run in Python, by examples/load_run.py: the figures are those of the run, the network's answers those of predict.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
program=$(realpath "$1")
need_python pandas torchvision safetensors
cd "$temp"
export CUDA_VISIBLE_DEVICES=

load_run() { "$python" -W ignore "$repo/examples/load_run.py" "$@"; }

"$program" data synth shapes --images-per-class 12 --quiet >/dev/null
cat >squash.json <<'JSON'
{"device": "cpu", "threads": 1, "model": {"init": "per_group"}, "data": {"root": "shapes", "image_size": 32},
 "train": {"epochs": 2, "batch_size": 32, "optimizer": {"lr": 0.001}}}
JSON
cat >crop.json <<'JSON'
{"extends": "squash.json", "model": {"arch": "efficientnet_b0"}, "train": {"epochs": 1},
 "data": {"resize": "center_crop", "resize_size": 41, "interpolation": "bicubic", "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}}
JSON

for run in squash crop; do
  expect_exit 0 "$program" train "$run.json" --run-dir "$run" --quiet
  expect_exit 0 load_run "$run" "$program"
  cat "$output"
  expect_contains "$output" "best epoch: $(jq .best.epoch "$run/result.json"), validation top-1 $(
    printf %.4f "$(jq .best.val_top1 "$run/result.json")"
  )"
  # a line for each epoch, pandas rounding what metrics.jsonl holds
  jq -r '"\(.epoch) \(.val_loss)"' "$run/metrics.jsonl" | while read -r epoch loss; do
    [[ $(awk -v epoch="$epoch" '$1 == epoch { print $4 }' "$output") == "$(printf %.6f "$loss")"* ]] ||
      fail "epoch $epoch: the table has not $loss"
  done
  IFS=, read -r picture class _ < <(sed -n 2p "$run/eval/val/predictions.csv")
  expect_exit 0 "$program" predict "$run" "shapes/$picture" --json --quiet
  answer=$(jq -r '.[0].top[0] | "\(.name) \(.probability)"' "$output")
  expect_exit 0 load_run "$run" "$program"
  expect_contains "$output" "$picture: ${answer% *} with $(printf %.4f "${answer#* }"); it is $class"
done

# it would see another input, and a weight that is not there
stand_in otherwise <<SCRIPT
exec "$program" "\$@" --set data.mean=[0.45,0.45,0.45]
SCRIPT
expect_exit 1 load_run squash ./otherwise
expect_contains "$errors" "too much"
expect_exit 0 "$program" train squash.json --run-dir narrow --quiet --set model.width_mult=0.5 train.epochs=1
expect_exit 1 load_run narrow "$program"
expect_contains "$errors" "none that torchvision publishes"

# a .pth holds the same tensors, read as the README says
expect_exit 0 "$program" convert squash best.pth
cat >same.py <<'PYTHON'
import safetensors.torch, torch, torchvision

ours = safetensors.torch.load_file("squash/checkpoints/best.safetensors")
theirs = torch.load("best.pth", weights_only=True)
model = torchvision.models.efficientnet_v2_s(num_classes=10)
model.load_state_dict(theirs)
assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
print(len(ours), "tensors are the same")
PYTHON
expect_exit 0 "$python" -W ignore same.py
expect_contains "$output" "782 tensors are the same"
