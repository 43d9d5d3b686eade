#!/usr/bin/env bash
# Weights in and out through the program: convert, eval, predict and fine-tuning with every kind of file.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
program=$(realpath "$1")
cd "$temp"

"$program" data synth shapes --images-per-class 12 >/dev/null 2>&1
cat >tiny.json <<'JSON'
{
  "name": "tiny", "device": "cpu", "threads": 1,
  "model": {"stages": [{"block": "fused_mbconv", "expand": 1, "kernel": 3, "stride": 1, "channels": 8, "layers": 1},
                       {"block": "mbconv", "expand": 2, "kernel": 3, "stride": 2, "channels": 16, "layers": 2}],
            "stem_channels": 8, "head_channels": 32, "init": "per_group"},
  "data": {"root": "shapes", "image_size": 16},
  "train": {"epochs": 2, "batch_size": 16, "optimizer": {"lr": 0.005}, "ema": {"decay": 0.9}}
}
JSON
expect_exit 0 "$program" train tiny.json --run-dir a --quiet

# a run, .pth, .safetensors and back: the same bytes
expect_exit 0 "$program" convert a best.pth
expect_contains "$output" "best.pth: 64 tensors from a/checkpoints/best.safetensors"
expect_exit 0 "$program" convert best.pth best.safetensors
expect_same best.safetensors a/checkpoints/best.safetensors
expect_exit 0 "$program" convert best.safetensors again.pt
expect_same again.pt best.pth
expect_exit 0 "$program" convert a last.safetensors --checkpoint last
expect_same last.safetensors a/checkpoints/last.safetensors
expect_exit 2 "$program" convert a best.onnx
expect_contains "$errors" ".safetensors, .pth or .pt"
expect_exit 4 "$program" convert tiny.json x.pth
expect_contains "$errors" "neither a safetensors nor a PyTorch file"
expect_exit 4 "$program" convert shapes x.pth
ln -s a/checkpoints link
for state in a/checkpoints/state.safetensors link/state.safetensors; do
  expect_exit 2 "$program" convert best.pth $state
  expect_contains "$errors" "own checkpoints"
  expect_exit 2 "$program" predict a shapes/cross/0000.png --save-inputs $state
  expect_contains "$errors" "own checkpoints"
done
expect_exit 4 "$program" convert nothing.pth x.pth
expect_no_file x.pth

# eval says the same of each, and leaves its files
expect_exit 0 "$program" eval a --json --quiet
jq '{loss, top1, top5, samples, per_class}' "$output" >of_run.json
expect_equal "$(jq '.top1_interval[0] <= .top1 and .top1 <= .top1_interval[1]' "$output")" true "interval"
for file in eval.json confusion.csv predictions.csv; do
  expect_file "a/eval/val/$file"
done
for weights in best.pth best.safetensors; do
  expect_exit 0 "$program" eval --weights "$weights" --config tiny.json --json --quiet -o figures
  jq '{loss, top1, top5, samples, per_class}' "$output" >of_file.json
  expect_same of_run.json of_file.json
  expect_file figures/predictions.csv
done
expect_exit 0 "$program" eval --weights best.pth --config tiny.json
expect_contains "$output" "95 % intervals"
expect_file eval/best-val/confusion.csv
expect_exit 6 "$program" eval a -o tiny.json/below

# some classes by name
mkdir some
cp -r shapes/cross shapes/stripes some
expect_exit 3 "$program" eval a --data some
expect_contains "$errors" "--match-classes"
expect_exit 0 "$program" eval a --data some --match-classes --json --quiet
expect_equal "$(jq -c '[.samples, (.per_class | length)]' "$output")" "[24,2]" "matched"
mkdir some/unheard-of
cp shapes/cross/0000.png some/unheard-of
expect_exit 3 "$program" eval a --data some --match-classes
expect_contains "$errors" '"unheard-of"'
rm -r some/unheard-of

# predict: files and folders, one JSON document, paths as given
expect_exit 0 "$program" predict a shapes/cross some/stripes/0001.png --json --quiet --logits --top-k 3
expect_equal "$(jq -c '[length, .[0].path, .[12].path, (.[0].top | length), (.[0].logits | length)]' "$output")" \
  '[13,"shapes/cross/0000.png","some/stripes/0001.png",3,10]' "document"
expect_equal "$(jq '[.[] | .top[0].probability >= .top[1].probability] | all' "$output")" true "order"
expect_equal "$(jq '.[0] | .logits[.top[0].index] == (.logits | max)' "$output")" true "top and logits"
expect_exit 0 "$program" predict --weights best.pth --config tiny.json shapes/cross/0000.png
expect_contains "$output" "shapes/cross/0000.png: "
echo "no picture" >bad.png
expect_exit 3 "$program" predict a shapes/cross/0000.png bad.png shapes/cross/0001.png --json
expect_contains "$errors" "bad.png"
expect_equal "$(jq -c 'map(has("error"))' "$output")" "[false,true,false]" "a bad picture among others"
expect_exit 3 "$program" predict a nowhere.png --json
expect_contains "$errors" "nowhere.png"
expect_exit 6 "$program" predict a shapes/cross/0000.png --json --save-inputs nowhere/x.safetensors
expect_equal "$(jq length "$output")" 1 "a document that is closed"
expect_exit 2 "$program" predict a shapes/cross/0000.png --save-inputs tiny.json
expect_exit 2 "$program" predict a
expect_exit 2 "$program" predict shapes/cross/0000.png some
printf 'cross a cross\n' >names.txt
expect_exit 0 "$program" predict a shapes/cross/0000.png --top-k 10 --set data.class_names=names.txt
expect_contains "$output" "a cross"

# fine-tuning: another number of classes starts the classifier anew, and says so once; what is frozen stays
expect_exit 0 "$program" train tiny.json --run-dir tuned --set model.weights=best.pth --set data.root=some \
  --set train.freeze=backbone --set train.ema.decay=null
expect_equal "$(grep -c "made for 10 classes, the classifier for 2 starts anew" "$errors")" 1 "told once"
expect_contains "$errors" 'train.freeze: "backbone" does not learn'
expect_exit 0 "$program" train tiny.json --dry-run --set model.weights=best.pth --set train.freeze=backbone
expect_contains "$output" "learning at first 330 parameters"
expect_exit 4 "$program" train tiny.json --dry-run --set model.weights=gone.pth
expect_contains "$errors" "model.weights: "
expect_exit 0 "$program" convert tuned tuned.safetensors --checkpoint last
expect_exit 0 "$program" train tiny.json --run-dir thawed --quiet --set model.weights=a --set train.freeze=stages:1 \
  --set train.unfreeze_at_epoch=2 --set train.backbone_lr_scale=0.1
expect_exit 2 "$program" train tiny.json --run-dir x --set train.freeze=stages:3
expect_contains "$errors" "train.freeze: the network has 2 stages"
expect_exit 2 "$program" train tiny.json --run-dir x --set train.freeze=some
expect_exit 0 "$program" config check tiny.json --set train.freeze=backbone
expect_contains "$output" "warning: train.freeze"

# weights that do not fit: every difference, and whose they are
expect_exit 4 "$program" eval --weights best.pth --config tiny.json --set model.stem_channels=16
expect_contains "$errors" "other shape"
expect_exit 4 "$program" train tiny.json --run-dir x --set model.weights=a --set model.head_channels=64
expect_contains "$errors" "features.3.0.weight has [32, 16, 1, 1], expected [64, 16, 1, 1]"
expect_no_file x/config.json
expect_exit 4 "$program" train tiny.json --run-dir x --set model.weights=shapes
expect_contains "$errors" "no run directory"
expect_exit 4 "$program" convert a/checkpoints/state.safetensors x.pth
expect_contains "$errors" "training state"
expect_exit 2 "$program" predict a shapes/cross/0000.png --logits

# damaged, foreign and hostile files: exit 4 and one line
refused() {
  expect_exit 4 "$program" eval --weights "$1" --config tiny.json
  expect_contains "$errors" "$2"
  expect_equal "$(wc -l <"$errors")" 1 "lines on stderr for $1"
}
golden=$repo/tests/golden
head -c 3000 best.pth >cut.pth
refused cut.pth "cut off"
head -c 3000 best.safetensors >cut.safetensors
refused cut.safetensors "cut off"
for file in best.pth best.safetensors; do
  cp "$file" "flipped-$file"
  size=$(stat -c %s "$file")
  printf '\x55' | dd of="flipped-$file" bs=1 seek=$((size / 2)) conv=notrunc status=none
  refused "flipped-$file" "checksum"
done
refused "$golden/torch_1.13_legacy.pth" "before 1.6"
refused "$golden/torch_2.15_module.pth" "torch.nn.modules.linear.Linear"
refused "$golden/torch_2.15_script.pt" "TorchScript"
echo "weights: ok"
