#!/usr/bin/env bash
# Configs that nobody writes by hand: every key with every wrong type, files without an end, bases without an end. Each
# is refused with exit code 2, or 6 where a file cannot be read, soon, in lines that name the place.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
program=$1
python=$(command -v python3) || skip "there is no python3"

mkdir "$temp/configs"
expect_exit 0 "$python" tests/python/hostile_configs.py "$program" "$temp/configs"
cat "$output"

# the verbs that compute say the same
echo '{"train": {"epochs": "many"}, "data": {"root": 7}}' >"$temp/bad.json"
for verb in "train" "summary" "bench" "data pack" "eval --weights x.pth --config"; do
  # shellcheck disable=SC2086
  expect_exit 2 "$program" $verb "$temp/bad.json"
  expect_contains "$errors" 'train.epochs: must be an integer in [1, 1000000], got "many"'
  expect_contains "$errors" "data.root: must be a path or null, got 7"
done
expect_exit 2 timeout -s KILL 60 "$program" train /dev/zero
expect_contains "$errors" "/dev/zero: is a device"
mkfifo "$temp/pipe.json"
expect_exit 2 timeout -s KILL 60 "$program" train "$temp/pipe.json"
expect_contains "$errors" "the document is empty"

# names of classes come from a file too
echo '{"model": {"num_classes": 3}}' >"$temp/good.json"
mkdir -p "$temp/set/one" "$temp/set/two"
: >"$temp/set/one/a.jpg"
: >"$temp/set/two/a.jpg"
for names in /dev/zero "$temp"; do
  expect_exit 3 timeout -s KILL 60 "$program" train "$temp/good.json" --set data.root="$temp/set" data.class_names="$names" \
    --run-dir "$temp/run"
  expect_contains "$errors" "data.class_names: $names: cannot read: "
done

echo "hostile_config: ok"
