#!/usr/bin/env bash
# What the README promises first: the quickstart's config reaches 0.95 on the images it draws.
# shellcheck source=tests/cli/lib.sh
source "$(dirname "$0")/lib.sh"
program=${1:?the program}

expect_exit 0 "$program" data synth "$temp/shapes"
expect_exit 0 "$program" train "$repo/configs/quickstart.json" --device cpu --threads 1 --run-dir "$temp/run" \
  --set "data.root=$temp/shapes"
expect_contains "$output" "done: best validation top-1"
expect_equal "$(jq '.best.val_top1 >= 0.95' "$temp/run/result.json")" true \
  "at least 0.95 ($(jq .best.val_top1 "$temp/run/result.json"))"

# eval agrees with what the training measured
expect_exit 0 "$program" eval "$temp/run" --threads 1 --json
expect_equal "$(jq .top1 "$output")" "$(jq .best.val_top1 "$temp/run/result.json")"

echo "quickstart: ok"
