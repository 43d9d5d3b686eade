#!/usr/bin/env bash
# The program's frame: help, versions, exit codes, suggestions, and what goes to which stream.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
program=$(realpath "$1")
verbs=(train resume eval summary bench data config)

expect_nothing_on_stdout() { [[ ! -s $output ]] || fail "stdout is not empty"; }

# refuses MESSAGE ARGUMENT...: exit 2, one "error: MESSAGE" on stderr that points to a help text, nothing on stdout
refuses() {
  local message=$1
  shift
  expect_exit 2 "$program" "$@"
  expect_contains "$errors" "error: $message"
  expect_contains "$errors" "--help"
  expect_nothing_on_stdout
}

# help and versions are results: stdout, exit 0
expect_exit 0 "$program" --version
for name in effnetv2 revision LibTorch OpenCV CUDA compiler; do
  expect_contains "$output" "$name "
done
[[ ! -s $errors ]] || fail "--version wrote to stderr"

expect_exit 0 "$program" --help
expect_contains "$output" "Examples:"
for verb in "${verbs[@]}"; do
  expect_contains "$output" "  $verb "
done
for verb in "${verbs[@]}"; do
  expect_exit 0 "$program" "$verb" --help
  expect_contains "$output" "Usage: effnetv2 $verb"
  expect_contains "$output" "Examples:"
  expect_contains "$output" "effnetv2 $verb "
done
for verb in train resume eval summary bench; do
  expect_exit 0 "$program" "$verb" --help
  for option in --device --threads --quiet --verbose; do
    expect_contains "$output" "$option"
  done
done

# no verb: the help, but as an error
expect_exit 2 "$program"
expect_contains "$errors" "Usage: effnetv2"
expect_nothing_on_stdout

# mistyped verbs and options
refuses "unknown command trian, did you mean train?" trian x.json
refuses "unknown command evla, did you mean eval?" evla --json
refuses "unknown command frobnicate; the commands are train, resume" frobnicate
refuses "unknown option --verison, did you mean --version?" --verison
refuses "unknown option --run-dri, did you mean --run-dir?" train x.json --run-dri y
refuses "unknown option --dry-rum, did you mean --dry-run?" train --dry-rum x.json
refuses "unknown option --step, did you mean --steps?" bench x.json --step=3
refuses "unknown option --qiuet, did you mean --quiet?" eval --qiuet runs/x
refuses "unknown option -z" train x.json -z
refuses "unknown command snyth, did you mean synth?" data snyth "$temp"
refuses "unknown command chekc, did you mean check?" config chekc x.json
refuses "effnetv2 data needs a command: " data

# missing, surplus, contradicting and unreadable arguments
refuses "" train
refuses "" summary
refuses "" train x.json y.json
refuses "" train x.json --quiet --verbose
refuses "" bench x.json --steps many
refuses "" bench x.json --mode sideways
refuses "" train x.json --threads

# an empty value, of an unset variable, is not one that was not given
unset=
refuses "--run-dir: must not be empty" train x.json --run-dir "$unset" --resume
refuses "--run-dir: must not be empty" train x.json --run-dir="$unset" --resume
refuses "--run-dir: must not be empty" train x.json --run-dir "$unset" --overwrite
refuses "--data: must not be empty" eval runs/x --data "$unset"
refuses "--output: must not be empty" eval runs/x -o "$unset"
refuses "--output: must not be empty" report runs/x -o "$unset"
refuses "--save-inputs: must not be empty" predict runs/x x.png --save-inputs "$unset"
refuses "PATH: must not be empty" predict runs/x "$unset"
refuses "DIR: must not be empty" data synth "$unset"

# brackets belong to a name; commas in them separate nothing
for name in '[x]' '[x,y]' '[[x]]' '{}'; do
  echo '{"name": "bracketed"}' >"$temp/$name"
  (cd "$temp" && expect_exit 0 "$program" config check "$name" "./$name")
  expect_equal "$(grep -cxF -e "./$name: ok" "$output")" 2
  (cd "$temp" && expect_exit 0 "$program" config show "$name")
done
echo '{"nonsense": 1}' >"$temp/x"
(cd "$temp" && expect_exit 0 "$program" config check '[x]')

# whole numbers are decimal and fit
for number in 010 0x10 99999999999999999999 1e1 1.0 +1 ' 1'; do
  refuses "--threads: " summary x.json --threads "$number"
  refuses "--steps: must be a whole number in decimal digits, such as 10, of at most 64 bits, received $number" \
    bench x.json --steps "$number"
  refuses "--seed: " data synth "$temp/drawn" --seed "$number"
  refuses "--images-per-class: must be a whole number" data synth "$temp/drawn" --images-per-class "$number"
done
refuses "--top-k: must be a whole number" predict runs/x x.png --top-k 010
expect_no_file "$temp/drawn"
expect_exit 0 "$program" data synth "$temp/drawn" --images-per-class 1 --seed 18446744073709551615 --threads 1

# what the config reader refuses has the same form
echo '{"train": {"epoch": 3}}' >"$temp/typo.json"
expect_exit 2 "$program" train "$temp/typo.json" --dry-run
expect_contains "$errors" "error: "
expect_contains "$errors" "epochs"
expect_nothing_on_stdout
expect_exit 2 "$program" bench "$temp/typo.json" --json
expect_nothing_on_stdout

# a value that starts with a dash is not taken for an option
echo '{"model": {"num_classes": 10}}' >"$temp/small.json"
expect_exit 2 "$program" bench "$temp/small.json" --steps -1
expect_lacks "$errors" "unknown option"

# no card, no such device: the environment's fault
expect_exit 6 "$program" bench "$temp/small.json" --device cuda:99 --steps 1
expect_contains "$errors" "error: "
expect_lacks "$errors" "C++ CapturedTraceback"
expect_lacks "$errors" "frame #"

# results that cannot be written are a failure, and a reader that has gone does not kill the program in silence
code=0
"$program" --help >/dev/full 2>"$errors" || code=$?
expect_equal "$code" 6
expect_contains "$errors" "error: cannot write to stdout"
code=0
{ sleep 0.5 && "$program" --help 2>"$errors" || echo $? >"$temp/code"; } | true
expect_equal "$(cat "$temp/code")" 6

echo "frame: ok"
