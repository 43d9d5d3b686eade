#!/usr/bin/env bash
# summary: the table, its JSON and where the class count comes from.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
program=$1
config=$temp/config.json

echo '{"model": {"num_classes": 1000}, "data": {"image_size": 384}}' >"$config"
expect_exit 0 "$program" summary "$config"
expect_contains "$output" "stage 6"
expect_contains "$output" "MBConv x6 3x3"
expect_contains "$output" "1280 x 12 x 12"
expect_contains "$output" "21,458,488"
expect_contains "$output" "8.366 GMACs"

expect_exit 0 "$program" summary "$config" --json --set model.num_classes=10 --set data.image_size=32
expect_equal "$(jq -c '[.parameters, .image_size, .num_classes, .blocks, (.stages | length)]' "$output")" \
  "[20190298,32,10,40,9]"
expect_equal "$(jq '([.stages[].parameters] | add) == .parameters and ([.stages[].macs] | add) == .macs' "$output")" true
expect_equal "$(jq -c '.stages[3] | [.name, .layers, .stride, .channels, .height, .width]' "$output")" \
  '["stage 3",4,2,64,4,4]'

# without num_classes the data's folders say; without either nothing can be counted
echo '{"data": {"image_size": 32}}' >"$config"
expect_exit 2 "$program" summary "$config"
expect_contains "$errors" "model.num_classes: is not set"
expect_exit 0 "$program" data synth "$temp/shapes" --images-per-class 3
expect_exit 0 "$program" summary "$config" --json --set "data.root=$temp/shapes"
expect_equal "$(jq .num_classes "$output")" 10

expect_exit 2 "$program" summary "$config" --set model.num_classes=10 --set 'model.width_mult=-1'
expect_contains "$errors" "model.width_mult"
