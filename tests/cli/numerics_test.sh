#!/usr/bin/env bash
# Settings and data sets at which numbers go wrong: each ends as the table "Numerics" of docs/reliability.md says.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
program=$1
python=$(command -v python3) || skip "there is no python3"

"$program" data synth "$temp/drawn" --images-per-class 8 >/dev/null 2>&1
expect_exit 0 "$python" tests/cli/support/odd_images.py "$temp/odd"
mkdir "$temp/set"
cp -r "$temp/drawn/circle" "$temp/drawn/square" "$temp/set"
cat >"$temp/tiny.json" <<'JSON'
{
  "name": "tiny", "device": "cpu", "threads": 1, "precision": "fp32",
  "model": {"stages": [{"block": "fused_mbconv", "expand": 1, "kernel": 3, "stride": 2, "channels": 8, "layers": 1}],
            "stem_channels": 8, "head_channels": 16},
  "data": {"root": "set", "image_size": 16, "split": {"val": 0.25}},
  "train": {"epochs": 2, "batch_size": 6, "optimizer": {"lr": 0.005}}, "tensorboard": {"enabled": false}
}
JSON
# train CODE RUN SETTING...
train() {
  local code=$1 run=$2
  shift 2
  expect_exit "$code" "$program" train "$temp/tiny.json" --run-dir "$temp/$run" --quiet --set "$@"
}
# finite RUN: every number of its metrics and of its files of tensors
finite() {
  "$python" - "$temp/$1" <<'PYTHON' || fail "$1 holds numbers that are not finite"
import array, json, math, pathlib, struct, sys

def refuse(text):
    sys.exit(f"{text} in a JSON file")

run = pathlib.Path(sys.argv[1])
for line in (run / "metrics.jsonl").read_text().splitlines():
    json.loads(line, parse_constant=refuse)
if (run / "result.json").exists():
    json.loads((run / "result.json").read_text(), parse_constant=refuse)
if any(word in (run / "metrics.csv").read_text().lower() for word in ("nan", "inf")):
    sys.exit("nan or inf in metrics.csv")
for file in (run / "checkpoints").glob("*.safetensors"):
    data = file.read_bytes()
    begin = 8 + struct.unpack("<Q", data[:8])[0]
    for name, tensor in json.loads(data[8:begin]).items():
        if name != "__metadata__" and tensor["dtype"] in ("F32", "F64"):
            first, end = tensor["data_offsets"]
            numbers = array.array("f" if tensor["dtype"] == "F32" else "d", data[begin + first:begin + end])
            if not all(map(math.isfinite, numbers)):
                sys.exit(f"{file.name}: {name}")
PYTHON
}
# tensors RUN KIND FILE: those that are learned or the statistics, as text
tensors() {
  "$python" - "$temp/$1/checkpoints/$3.safetensors" "$2" <<'PYTHON'
import hashlib, json, struct, sys
data = open(sys.argv[1], "rb").read()
begin = 8 + struct.unpack("<Q", data[:8])[0]
for name, tensor in sorted(json.loads(data[8:begin]).items()):
    if name != "__metadata__" and ("running" in name or "num_batches" in name) == (sys.argv[2] == "statistics"):
        print(name, hashlib.sha256(data[begin + tensor["data_offsets"][0]:begin + tensor["data_offsets"][1]]).hexdigest())
PYTHON
}
# diverged RUN STEP RATE
diverged() {
  expect_equal "$(grep -c . "$errors")" 1 "lines on stderr"
  expect_contains "$errors" "$2"
  expect_contains "$errors" "learning rate $3; try a smaller train.optimizer.lr"
  finite "$1"
  expect_no_file "$temp/$1/result.json"
}

# ---- a rate at which weights overflow, at the start: nothing is saved, and resume begins anew and says the same
train 5 lr train.optimizer.lr=1e30
diverged lr "the loss is not finite at step 2 (epoch 1)" 1e+30
expect_contains "$errors" "no checkpoint was made yet"
expect_equal "" "$(ls "$temp/lr/checkpoints")" "checkpoints"
expect_exit 5 "$program" resume "$temp/lr" --quiet
diverged lr "the loss is not finite at step 2 (epoch 1)" 1e+30
# where the loss is measured once in an epoch, validation finds it, or what would be saved
train 5 once train.optimizer.lr=1e30 train.batch_size=12
diverged once "the loss of the validation images is nan after step 1 (epoch 1)" 1e+30
train 5 unseen train.optimizer.lr=1e30 train.batch_size=16 data.split.val=0 train.monitor=train_loss train.epochs=1
grep -qE "(weights|averages) are not finite any more: .* after step 1, learning rate 1e\+30" "$errors" ||
  fail "what would have been saved is not named"
finite unseen
train 5 huge train.optimizer.lr=1e308
diverged huge "the loss is not finite at step 2 (epoch 1)" 1e+308

# later: the state before it stays as it was, whole, and resume fails at the same step
step='{"type": "step", "step_epochs": 1, "gamma": 1e30}'
train 5 later train.scheduler="$step" train.epochs=3
diverged later "the loss is not finite at step 4 (epoch 2)" 5e+27
expect_contains "$errors" "the last good checkpoint is $temp/later/checkpoints/state.safetensors (step 2)"
sums() { (cd "$temp/later" && sha256sum metrics.jsonl metrics.csv checkpoints/*); }
before=$(sums)
expect_equal 1 "$(wc -l <"$temp/later/metrics.jsonl")" "epochs"
expect_exit 5 "$program" resume "$temp/later" --quiet
diverged later "the loss is not finite at step 4 (epoch 2)" 5e+27
expect_contains "$errors" "the last good checkpoint is $temp/later/checkpoints/state.safetensors"
expect_equal "$before" "$(sums)" "what was saved"
train 0 good train.epochs=1 train.scheduler="$step"
expect_same "$temp/good/checkpoints/best.safetensors" "$temp/later/checkpoints/best.safetensors"
expect_exit 0 "$program" eval "$temp/later" --quiet

# ---- settings at the ends of their ranges
# a rate of 0: nothing is learned, but BatchNorm's statistics
train 0 still-1 train.optimizer.lr=0 train.epochs=1
train 0 still-3 train.optimizer.lr=0 train.epochs=3 train.optimizer.weight_decay=0.1
finite still-3
expect_equal "$(tensors still-1 weights last)" "$(tensors still-3 weights last)" "weights at a rate of 0"
[[ $(tensors still-1 statistics last) != "$(tensors still-3 statistics last)" ]] || fail "statistics stood still"

# all of the target spread evenly: a loss of ln(classes) at best, which is finite
train 0 smooth train.loss.label_smoothing=0.9999999999999999
finite smooth
expect_equal true "$(jq -s 'all(.train_loss > 0.69 and .train_loss < 2)' "$temp/smooth/metrics.jsonl")" "smoothed losses"
train 2 smoother train.loss.label_smoothing=1
expect_contains "$errors" "train.loss.label_smoothing: must be a number in [0, 1), got 1"

# a decay of the weights that overflows a mean of squares would end all learning in silence
for type in adam rmsprop; do
  train 5 "decay-$type" train.optimizer.type=$type train.optimizer.weight_decay=1e30
  expect_contains "$errors" "the optimizer's averages are not finite any more: "
  expect_contains "$errors" "train.optimizer.weight_decay"
  finite "decay-$type"
  expect_equal "" "$(ls "$temp/decay-$type/checkpoints")" "checkpoints"
done
for type in adamw sgd; do
  train 5 "decay-$type" train.optimizer.type=$type train.optimizer.weight_decay=1e30
  diverged "decay-$type" "the loss is not finite at step 2" 0.005
done

# averages that hardly move: as good as the first weights, and saved as such
train 0 ema train.ema.decay=0.999999 train.ema.warmup=false
train 0 plain train.ema.decay=null
finite ema
expect_equal "$(jq -s 'map(.train_loss)' "$temp/plain/metrics.jsonl")" "$(jq -s 'map(.train_loss)' "$temp/ema/metrics.jsonl")" \
  "training losses with and without averages"
expect_equal true "$(jq -s '.[0].val_loss - .[1].val_loss | fabs < 1e-3' "$temp/ema/metrics.jsonl")" "averages stand still"
expect_equal false "$(jq -s '.[0].val_loss - .[1].val_loss | fabs < 1e-3' "$temp/plain/metrics.jsonl")" "weights do not"
train 2 ema-1 train.ema.decay=1
expect_contains "$errors" "train.ema.decay: must be a number in (0, 1) or null, got 1"

# what float32 cannot hold of the other settings: gradients cut to nothing, epsilons that are 0
train 0 clip train.grad_clip_norm=1e-300
finite clip
train 0 tiny train.optimizer.eps=1e-300 model.bn_eps=1e-300
finite tiny
train 5 std 'data.std=[1e-300, 1, 1]'
diverged std "the loss is not finite at step 1" 0.005

# ---- batches of one
one() { train "$1" "$2" data.image_size="$3" train.batch_size="$4" "${@:5}"; }
one 0 ones 16 1 # maps of 4 x 4: sixteen values for each channel
finite ones
one 2 single 8 1 model.stages='[{"stride": 2, "channels": 8}, {"stride": 2, "channels": 8}]'
expect_contains "$errors" "train.batch_size: there are 12 training images and a batch size of 1, which makes a batch of one image"
expect_no_file "$temp/single/config.json"
one 2 rest 8 11 model.stages='[{"stride": 2, "channels": 8}, {"stride": 2, "channels": 8}]'
expect_contains "$errors" "BatchNorm cannot train on that where maps shrink to 1x1"
one 0 dropped 8 11 model.stages='[{"stride": 2, "channels": 8}, {"stride": 2, "channels": 8}]' train.drop_last=true
finite dropped
expect_equal 2 "$(jq -s '.[-1].step' "$temp/dropped/metrics.jsonl")" "steps of two epochs"
one 0 last 16 11 # a last batch of one, of larger maps
finite last
expect_equal 4 "$(jq -s '.[-1].step' "$temp/last/metrics.jsonl")" "steps of two epochs"

# ---- data sets that teach nothing
# pictures that are all equal: no variance, and still a number
for kind in black equal; do
  mkdir -p "$temp/$kind/one" "$temp/$kind/two"
  for i in 1 2 3 4 5 6 7 8; do
    cp "$temp/odd/good/grey.jpg" "$temp/$kind/one/$i.jpg"
    cp "$temp/odd/good/grey.jpg" "$temp/$kind/two/$i.jpg"
  done
done
"$python" - "$temp/black" <<'PYTHON'
import pathlib, struct, sys
for file in pathlib.Path(sys.argv[1]).glob("*/*.jpg"):
    file.write_bytes(b"BM" + struct.pack("<IHHI", 54 + 12 * 4, 0, 0, 54) +
                     struct.pack("<IiiHHIIiiII", 40, 4, 4, 1, 24, 0, 48, 0, 0, 0, 0) + bytes(48))
PYTHON
for kind in black equal; do
  train 0 on-$kind data.root="$temp/$kind"
  finite on-$kind
  expect_equal true "$(jq -s 'all(.val_top1 == 0.5)' "$temp/on-$kind/metrics.jsonl")" "$kind pictures are a toss of a coin"
done
train 0 mean data.root="$temp/black" 'data.mean=[0, 0, 0]' # every pixel 0
finite mean

# one class: there is nothing to tell apart, whatever the number of outputs
mkdir -p "$temp/alone/heron"
cp "$temp/drawn/circle"/* "$temp/alone/heron"
train 3 alone-run data.root="$temp/alone"
expect_contains "$errors" 'holds only one class, "heron"; at least two are needed'
train 3 alone-run data.root="$temp/alone" model.num_classes=10
expect_no_file "$temp/alone-run/config.json"

# one picture of each class: no share of it is a picture
mkdir -p "$temp/ones-set/one" "$temp/ones-set/two"
cp "$temp/drawn/circle/0000.png" "$temp/ones-set/one"
cp "$temp/drawn/square/0000.png" "$temp/ones-set/two"
train 3 few data.root="$temp/ones-set"
expect_contains "$errors" "validation"
train 3 few data.root="$temp/ones-set" data.split.val=0.9
expect_contains "$errors" "training"
train 2 few data.root="$temp/ones-set" data.split.val=0
expect_contains "$errors" 'train.monitor: "val_top1" needs validation images'
expect_no_file "$temp/few/config.json"
train 0 few data.root="$temp/ones-set" data.split.val=0 train.monitor=train_loss
finite few
expect_equal '[null,null]' "$(jq -sc '[.[0].val_loss, .[0].val_top1]' "$temp/few/metrics.jsonl")" "columns without validation"

# pictures of one pixel are enlarged
mkdir -p "$temp/pixels/one" "$temp/pixels/two"
for i in 1 2 3 4; do
  for kind in png jpg bmp webp; do
    cp "$temp/odd/pixel/one.$kind" "$temp/pixels/one/$i.$kind"
    cp "$temp/odd/pixel/one.$kind" "$temp/pixels/two/$i.$kind"
  done
done
train 0 pixel data.root="$temp/pixels"
finite pixel
expect_equal 0 "$(jq .bad_images "$temp/pixel/result.json")" "bad images of one pixel"
train 0 cropped data.root="$temp/pixels" data.resize=center_crop data.augment='{"random_resized_crop": {}}'
finite cropped

echo "numerics: ok"
