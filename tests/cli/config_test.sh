#!/usr/bin/env bash
# effnetv2 config: check, show, schema and keys, their streams and exit codes.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
program=$1

# every config that is shipped is good, with no data at hand
mapfile -t shipped < <(find configs -name '*.json' | LC_ALL=C sort)
for config in "${shipped[@]}"; do
  expect_exit 0 "$program" config check "$config"
  expect_equal "$(cat "$output")" ok "$config"
done

# and says what it is; the networks of the studies are those that were published
for config in "${shipped[@]}"; do
  expect_equal "$(jq -r '.description | type' "$config")" string "$config has a description"
done
parameters() { "$program" summary "$1" --set model.num_classes=10 --json | jq .parameters; }
expect_equal "$(parameters configs/study/variants/mbconv-depth-0.1.json)" 3084858
expect_equal "$(parameters configs/study/variants/half-layers.json)" 9126978
expect_equal "$(parameters configs/ablation/variants/half-layers.json)" 9126978
expect_equal "$(parameters configs/ablation/variants/fused-only.json)" 74757538

# every error at once, one a line, on stderr
cat >"$temp/bad.json" <<'JSON'
{"train": {"optimzer": {}, "epochs": 1.5, "freeze": "stages"}, "data": {"cache": "disc", "root": "/nowhere", "split": {"val": 0.6, "test": 0.6}}}
JSON
expect_exit 2 "$program" config check "$temp/bad.json" --set seed=x --set train.optimizer.rl=1
for line in 'train.optimzer: is not a key, did you mean "train.optimizer"?' 'train.epochs: must be an integer' \
  'data.split.val: val + test must be below 1' 'train.freeze: must be none, backbone or stages:N' 'data.cache: must be one of "auto"' \
  '--set seed=x: seed: must be an integer' '--set train.optimizer.rl=1: train.optimizer.rl is not a key'; do
  expect_contains "$errors" "$line"
done
expect_equal "$(wc -l <"$errors")" 7 "lines on stderr"
[[ ! -s $output ]] || fail "errors went to stdout"

# several at once: a bad one does not keep the others from being checked
expect_exit 2 "$program" config check "$temp/bad.json" configs/quickstart.json "$temp/none.json" configs/birds-32.json
expect_equal "$(cat "$output")" "configs/quickstart.json: ok
configs/birds-32.json: ok"
expect_contains "$errors" "$temp/bad.json: train.optimzer: is not a key"
expect_contains "$errors" "$temp/none.json: no such config file"
expect_exit 0 "$program" config check "${shipped[@]}"
expect_equal "$(wc -l <"$output")" "${#shipped[@]}" "lines of configs that are good"

# each key is within its bounds, what they make together is not
cat >"$temp/huge.json" <<'JSON'
{"model": {"width_mult": 16, "stages": [
  {"block": "fused_mbconv", "expand": 64, "kernel": 31, "stride": 1, "channels": 65536, "layers": 1000}]},
 "data": {"image_size": 4096}}
JSON
expect_exit 2 "$program" config check "$temp/huge.json"
expect_contains "$errors" "$temp/huge.json: model: the network is too large"

# what is legal but ignored is mentioned
expect_exit 0 "$program" config check configs/quickstart.json --set train.scheduler.gamma=0.5 --device cpu --threads 2
expect_contains "$output" 'warning: train.scheduler.gamma: 0.5 is ignored by type "cosine"'
expect_contains "$output" ok

# a bad device or file
expect_exit 2 "$program" config check configs/quickstart.json --device cuda:x
expect_contains "$errors" "device: must be auto, cpu, cuda or cuda:N"
expect_exit 2 "$program" config check "$temp/none.json"
expect_contains "$errors" "none.json: no such config file"

# show: every key, architecture filled in, reads back to itself
expect_exit 0 "$program" config show configs/quickstart.json --set train.epochs=3
cp "$output" "$temp/resolved.json"
expect_contains "$output" '"epochs": 3'
expect_contains "$output" '"bn_eps": 0.001'
expect_contains "$output" "\"root\": \"$repo/data/synth\""
expect_exit 0 "$program" config show "$temp/resolved.json"
expect_same "$output" "$temp/resolved.json"

# --set takes one setting or several, before the config or after it
expect_exit 0 "$program" config show --set train.epochs=7 seed=9 configs/quickstart.json --set data.workers=1
expect_equal "$(jq -c '[.train.epochs, .seed, .data.workers]' "$output")" "[7,9,1]"
expect_exit 2 "$program" config show configs/quickstart.json --set train.epochs=7 seed
expect_exit 2 "$program" config show configs/quickstart.json --set

# schema and keys need no config
expect_exit 0 "$program" config schema
jq . "$output" >"$temp/schema.txt"
expect_contains "$output" "https://json-schema.org/draft/2020-12/schema"
expect_exit 0 "$program" config keys
expect_contains "$output" "train.optimizer.lr "
expect_exit 0 "$program" config keys --markdown
expect_same "$output" docs/config.md
expect_exit 0 "$program" config schema
expect_same "$output" docs/config.schema.json
# every shipped config names it, so that an editor completes and checks
while IFS= read -r config; do
  schema=$(sed -n 's/^  "[$]schema": "\(.*\)",$/\1/p' "$config")
  expect_equal "$(realpath -m "$(dirname "$config")/$schema")" "$(realpath docs/config.schema.json)" "$config"
done < <(find configs -name '*.json')

# help and mistakes
expect_exit 0 "$program" config check --help
expect_contains "$output" "Examples:"
expect_exit 2 "$program" config chek configs/quickstart.json
expect_contains "$errors" "did you mean check?"
expect_exit 2 "$program" config check
# where each value comes from
cat >"$temp/base.json" <<'JSON'
{"train": {"epochs": 5, "batch_size": 7}, "data": {"augment": {"random_resized_crop": {}}}}
JSON
cat >"$temp/over.json" <<'JSON'
{"extends": "base.json", "train": {"batch_size": 8}}
JSON
expect_exit 0 "$program" config show "$temp/over.json" --origins --set seed=3 --device cpu
for line in "train.epochs = 5  ($temp/base.json)" "train.batch_size = 8  ($temp/over.json)" "seed = 3  (--set seed=3)" \
  "train.accumulate = 1  (default)" 'device = "cpu"  (--set device=cpu)' "model.dropout = 0.2  (model.arch)" \
  "data.augment.random_resized_crop.scale = [0.08,1.0]  (default)"; do
  expect_contains "$output" "$line"
done

