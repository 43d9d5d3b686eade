#!/usr/bin/env bash
# scripts/sweep.sh: first its own logic with a stub in place of the program, then a small real sweep.
# shellcheck source=tests/cli/lib.sh
source "$(dirname "$0")/lib.sh"
program=$(realpath "${1:?the program}")

sweep=$repo/scripts/sweep.sh
export EFFNETV2=$repo/tests/cli/support/stub.sh STUB=$temp/stub
mkdir "$STUB"
cd "$temp"
echo '{"name": "base"}' >base.json
out=$temp/out

calls() { wc -l <"$STUB/calls"; }
csv() { # csv NAME COLUMN: one cell of sweep.csv
  awk -F, -v name="\"$1\"" -v column="\"$2\"" \
    'NR == 1 { for (i = 1; i <= NF; i++) if ($i == column) c = i } $1 == name { print $c }' "$out/sweep.csv"
}
fresh() {
  rm -rf "$out" "$STUB"
  mkdir "$STUB"
  touch "$STUB/calls" "$STUB/ends"
}

# Wrong usage: exit 2, what is wrong and where help is; nothing is started.
fresh
expect_exit 2 "$sweep"
expect_contains "$errors" "no base config"
expect_contains "$errors" "--help"
expect_exit 2 "$sweep" base.json --seeds 1
expect_contains "$errors" "-o DIR"
expect_exit 2 "$sweep" none.json --seeds 1 -o "$out"
expect_contains "$errors" "none.json"
expect_exit 2 "$sweep" base.json -o "$out"
expect_contains "$errors" "nothing to vary"
expect_exit 2 "$sweep" base.json -o "$out" --seeds 1,x
expect_exit 2 "$sweep" base.json -o "$out" --seeds 1,2,1
expect_exit 2 "$sweep" base.json -o "$out" --seeds
expect_exit 2 "$sweep" base.json -o "$out" --grid a
expect_exit 2 "$sweep" base.json -o "$out" --grid a=1,,2
expect_contains "$errors" "empty"
expect_exit 2 "$sweep" base.json -o "$out" --grid a=1,2,1
expect_exit 2 "$sweep" base.json -o "$out" --grid 'a=[1,2'
expect_contains "$errors" "bracket"
expect_exit 2 "$sweep" base.json -o "$out" --grid a=1 --grid a=2
expect_exit 2 "$sweep" base.json -o "$out" --grid seed=1,2
expect_contains "$errors" "--seeds 1,2"
expect_exit 2 "$sweep" base.json -o "$out" --grid variant=a,b
expect_exit 2 "$sweep" base.json -o "$out" --seeds 01,2
mkdir -p names && echo '{}' >names/logs.json
expect_exit 2 "$sweep" base.json -o "$out" --variants names
expect_contains "$errors" "a name that the sweep needs for itself"
expect_exit 2 "$sweep" base.json -o "$out" --grid a=1,2 --set a=3
expect_contains "$errors" "a is both"
expect_exit 2 "$sweep" base.json -o "$out" --seeds 1 --jobs 0
expect_exit 2 "$sweep" base.json -o "$out" --seeds 1 --sede 2
expect_contains "$errors" "--sede"
expect_exit 2 "$sweep" base.json -o "$out" --seeds 1 --set nonsense=1
expect_contains "$errors" "nonsense is not a key"
EFFNETV2=$temp/nowhere expect_exit 6 "$sweep" base.json -o "$out" --seeds 1
expect_equal "$(calls)" 0
expect_no_file "$out"

# Names: the last component of a key, more where two keys share it; values as parts of file names.
expect_exit 0 "$sweep" base.json -o "$out" --dry-run --grid train.optimizer.lr=0.001,1e-4 model.dropout=0.6 --seeds 1,2
expect_equal "$(wc -l <"$output")" 4
expect_contains "$output" "new   $out/lr=0.001_dropout=0.6-seed1  --set train.optimizer.lr=0.001 --set model.dropout=0.6 --set seed=1"
expect_contains "$output" "$out/lr=1e-4_dropout=0.6-seed2"
expect_exit 0 "$sweep" base.json -o "$out" --dry-run --grid model.mbconv.width_mult=0.5 --grid model.fused_mbconv.width_mult=2
expect_contains "$output" "$out/mbconv.width_mult=0.5_fused_mbconv.width_mult=2  "
expect_exit 0 "$sweep" base.json -o "$out" --dry-run --grid 'train.optimizer.betas=[0.9,0.999],[0.8, 0.99]' --grid 'x="a,b",{"k":[1,2]}'
expect_equal "$(wc -l <"$output")" 4
expect_contains "$output" "betas=0.9-0.999_x=a-b  --set 'train.optimizer.betas=[0.9,0.999]' --set 'x=\"a,b\"'"
expect_contains "$output" "betas=0.8-0.99_x=k-1-2  "
expect_exit 0 "$sweep" base.json -o "$out" --dry-run --grid 'w=a/b,a b,-1,1' --grid "$(printf 'long=%060d' 1)"
expect_equal "$(awk '{ print $2 }' "$output" | sort -u | wc -l)" 4
expect_contains "$output" "$out/w=-1_"
expect_equal "$(awk '{ print (length($2) > 120) }' "$output" | sort -u)" 0
expect_no_file "$out"

# What it may cost: a few timed steps times the points that are left.
expect_exit 0 "$sweep" base.json -o "$out" --dry-run --seeds 1,2,3,4
expect_contains "$errors" "4 points left; if all are like seed1: about 4.0 hours of training "
expect_contains "$errors" " of disk"
expect_exit 0 "$sweep" base.json -o "$out" --dry-run --seeds 1,2,3,4 --jobs 4
expect_contains "$errors" "about 60 minutes"
expect_exit 0 "$sweep" base.json -o "$out" --dry-run --grid train.epochs=10,30 # the first has 100 steps
expect_contains "$errors" "about 4.0 hours"
expect_no_file "$out"

# Variants: each file laid over the base, named by it, combined with the rest.
mkdir -p more
echo '{"model": {"dropout": 0.6}}' >more/dropout.json
echo '{}' >more/original.json
echo '{"x": 1}' >third.json
expect_exit 2 "$sweep" base.json -o "$out" --variants nowhere
expect_contains "$errors" "nowhere"
expect_exit 2 "$sweep" base.json -o "$out" --variants more,more/original.json
expect_contains "$errors" "called original"
fresh
expect_exit 0 "$sweep" base.json -o "$out" --variants more,third.json --grid train.optimizer.lr=0.1,0.2 --seeds 1
expect_equal "$(calls)" 6
expect_equal "$(csv dropout_lr=0.2-seed1 variant)" '"dropout"'
expect_equal "$(csv third_lr=0.1-seed1 status)" '"done"'
expect_equal "$(jq -c '.extends | map(split("/")[-1])' "$out/variants/third.json")" '["base.json","third.json"]'
expect_contains "$STUB/calls" "train $out/variants/original.json --set train.optimizer.lr=0.1 --set seed=1"
expect_contains "$output" "original"
expect_contains "$errors" "6 done, 0 running, 0 failed, 0 waiting"
expect_exit 0 "$sweep" base.json -o "$out" --variants more,third.json --grid train.optimizer.lr=0.1,0.2 --seeds 1
expect_equal "$(calls)" 6

# Names that would lie elsewhere, or be options or too long for a file system, and no place for temporary files.
echo '{}' >..json
echo '{}' >...json
echo '{}' >-x.json
for name in ..json ...json more/../..json; do
  fresh
  expect_exit 2 "$sweep" base.json -o "$out" --variants "$name"
  expect_contains "$errors" "no dot at its beginning"
  expect_no_file "$out"
done
expect_exit 0 "$sweep" base.json -o "$out" --variants -x.json
expect_contains "$STUB/calls" "--run-dir $out/-x --resume"
expect_equal "$(csv -x status)" '"done"'
expect_exit 0 "$sweep" base.json -o "$out" --variants -x.json
expect_equal "$(calls)" 1
mkdir -- -folder
cp more/original.json -- -folder
expect_exit 0 "$sweep" base.json -o "$out" --variants -folder --dry-run
fresh
long=()
for key in a b c d e f g; do long+=(--grid "$key=$(printf '%039d' 1)"); done
expect_exit 2 "$sweep" base.json -o "$out" "${long[@]}" --dry-run
expect_contains "$errors" "its name is 293 bytes, 240 are possible"
expect_exit 2 "$sweep" base.json -o "$out" "${long[@]}"
expect_exit 0 "$sweep" base.json -o "$out" "${long[@]:0:8}" --grid "key_up_to_240_bytes=$(printf '%039d' 1)" --dry-run
TMPDIR=$temp/nowhere expect_exit 6 "$sweep" base.json -o "$out" --variants third.json
expect_contains "$errors" "no temporary file can be made in $temp/nowhere"
expect_equal "$(calls)" 0
expect_no_file "$out"

# One point at a time on each card.
fresh
expect_exit 2 "$sweep" base.json -o "$out" --seeds 1 --gpus 0,0
expect_exit 2 "$sweep" base.json -o "$out" --seeds 1 --gpus 0 --jobs 2
expect_contains "$errors" "--gpus says"
printf '%s\n' seed1 seed2 >"$STUB/slow"
"$sweep" base.json -o "$out" --seeds 1,2,3 --gpus 4,7 >"$output" 2>"$errors" &
sweeping=$!
wait_for 20 test -f "$STUB/ready.seed2"
expect_equal "$(grep -o 'cuda:[0-9]*' "$STUB/calls" | sort | paste -sd ' ')" "cuda:4 cuda:7"
echo seed1 >"$STUB/slow"  # seed2 ends, and seed3 gets its card
wait_for 20 test -f "$STUB/ready.seed3"
expect_contains "$STUB/calls" "seed=3 --run-dir $out/seed3 --resume --threads $(($(nproc) / 2 > 0 ? $(nproc) / 2 : 1)) --device cuda:7"
rm "$STUB/slow"
wait "$sweeping"

# Two sweeps in one folder: the second starts nothing and disturbs nothing. One that is killed leaves no lock, though its
# trainings go on.
fresh
echo seed1 >"$STUB/slow"
"$sweep" base.json --seeds 1,2 -o "$out" >"$output" 2>"$errors" &
sweeping=$!
wait_for 20 test -f "$STUB/ready.seed1"
expect_exit 6 "$sweep" base.json --seeds 1,2,3 -o "$out"
expect_contains "$errors" "$out: in use by another sweep"
expect_equal "$(calls)" 1
expect_exit 0 "$sweep" base.json --seeds 1,2,3 -o "$out" --dry-run
rm "$STUB/slow"
wait "$sweeping" || fail "the sweep that was there first failed"
expect_equal "$(csv seed2 status)" '"done"'
fresh
echo seed1 >"$STUB/slow"
"$sweep" base.json --seeds 1,2 -o "$out" >/dev/null 2>&1 &
sweeping=$!
wait_for 20 test -f "$STUB/ready.seed1"
kill -KILL "$sweeping"
wait "$sweeping" 2>/dev/null || true
expect_exit 0 "$sweep" base.json --seeds 2 -o "$out"
expect_no_file "$out/seed1/result.json"
rm "$STUB/slow"
wait_for 20 test -f "$out/seed1/result.json"

# A note of a failure that was cut short is as if it were not there.
fresh
echo seed2 >"$STUB/fail"
expect_exit 1 "$sweep" base.json -o "$out" --seeds 1,2
sed -i 2d "$out/logs/seed2.failed"
rm "$STUB/fail"
expect_exit 0 "$sweep" base.json -o "$out" --seeds 1,2

# A point that failed stays so until it is asked for again, or is another one.
fresh
echo seed2 >"$STUB/fail"
expect_exit 1 "$sweep" base.json -o "$out" --seeds 1,2,3
expect_equal "$(calls)" 3
rm "$STUB/fail"
expect_exit 1 "$sweep" base.json -o "$out" --seeds 1,2,3
expect_equal "$(calls)" 3
expect_contains "$errors" "exit code 5: error: the loss is not finite at step 3 (before; --retry-failed tries again)"
expect_equal "$(csv seed2 exit_code)" 5
expect_exit 0 "$sweep" base.json -o "$out" --seeds 1,2,3 --retry-failed
expect_equal "$(calls)" 4
echo seed2 >"$STUB/fail"
expect_exit 1 "$sweep" base.json -o "$out" --seeds 1,2,3 --set train.epochs=9
rm "$STUB/fail"
expect_exit 0 "$sweep" base.json -o "$out" --seeds 1,2,3 --set train.epochs=10

# All points are trained, the table and sweep.csv hold them, and a second start does nothing.
fresh
grid=(base.json --grid "train.optimizer.lr=0.1,0.2" --seeds "1,3" --set train.epochs=20 -o "$out")
expect_exit 0 "$sweep" "${grid[@]}"
expect_equal "$(calls)" 4
expect_contains "$STUB/calls" "--set train.epochs=20 --set train.optimizer.lr=0.2 --set seed=3 --run-dir $out/lr=0.2-seed3 --resume --threads"
expect_equal "$(csv lr=0.2-seed3 train.optimizer.lr)" '"0.2"'
expect_equal "$(csv lr=0.2-seed3 seed)" 3
expect_equal "$(csv lr=0.2-seed3 status)" '"done"'
expect_equal "$(csv lr=0.2-seed3 exit_code)" 0
expect_equal "$(csv lr=0.2-seed3 best_val_top1)" 0.5
expect_equal "$(csv lr=0.2-seed3 best_epoch)" 13
expect_equal "$(csv lr=0.2-seed3 final_train_loss)" 0.125
expect_equal "$(csv lr=0.2-seed3 epochs)" 20
# Seeds 1 and 3 give 0.2 and 0.4, so 0.3 with a sample deviation of 0.1414.
expect_equal "$(awk '$1 == "0.1" { print $2, $3, $4 }' "$output")" "2/2 0.3000 0.1414"
cp "$out/sweep.csv" before.csv
expect_exit 0 "$sweep" "${grid[@]}"
expect_equal "$(calls)" 4
expect_contains "$errors" "lr=0.1-seed1: was done"
expect_same before.csv "$out/sweep.csv"
expect_exit 0 "$sweep" "${grid[@]}" --dry-run
expect_equal "$(grep -c '^done ' "$output")" 4

# More values: only they are trained. Another base: the program decides about each, nothing is taken as done.
expect_exit 0 "$sweep" base.json --grid train.optimizer.lr=0.1,0.2,0.4 --seeds 1,3 --set train.epochs=20 -o "$out"
expect_equal "$(calls)" 6
echo '{"name": "other"}' >base.json
expect_exit 0 "$sweep" "${grid[@]}"
expect_equal "$(calls)" 10

# The thread count is computed once and kept, so that cut-off points resume with their own.
fresh
expect_exit 0 "$sweep" base.json --seeds 1 --jobs 1 --threads 3 -o "$out"
expect_exit 0 "$sweep" base.json --seeds 1,2 --jobs 2 -o "$out"
expect_equal "$(grep -c -e '--threads 3$' "$STUB/calls")" 2
fresh
expect_exit 0 "$sweep" base.json --seeds 1 --set threads=2 -o "$out"
expect_lacks "$STUB/calls" "--threads"
fresh
echo '{"threads": 3}' >base.json
expect_exit 0 "$sweep" base.json --seeds 1 -o "$out"
expect_lacks "$STUB/calls" "--threads"
echo '{"threads": "auto"}' >base.json
expect_exit 0 "$sweep" base.json --seeds 2 -o "$out"
expect_contains "$STUB/calls" "--threads"

# A reader that has gone, and a folder that cannot be made.
fresh
"$sweep" base.json --seeds 1,2 -o "$out" 2>"$errors" >/dev/full || fail "a full stdout is no failed point"
expect_contains "$errors" "2 of 2 points done"
expect_exit 6 "$sweep" base.json --seeds 1 -o base.json/sub

# Without --seeds the config's own seed is the row's.
fresh
expect_exit 0 "$sweep" base.json --grid train.optimizer.lr=0.1 -o "$out"
expect_equal "$(csv lr=0.1 seed)" 7

# Points that fail, are killed or end without a result do not stop the others; they are listed.
fresh
echo lr=0.1-seed1 >"$STUB/fail"
echo lr=0.1-seed3 >"$STUB/kill"
echo lr=0.2-seed1 >"$STUB/mute"
expect_exit 1 "$sweep" "${grid[@]}"
expect_equal "$(calls)" 4
expect_contains "$errors" "1 of 4 points done"
expect_contains "$errors" "lr=0.1-seed1: exit code 5: error: the loss is not finite at step 3"
expect_contains "$errors" "lr=0.1-seed3: ended by signal 9 (SIGKILL)"
expect_contains "$errors" "lr=0.2-seed1: ended without a result.json"
expect_contains "$errors" "log: $out/logs/lr=0.1-seed1.log"
expect_equal "$(csv lr=0.1-seed1 status)" '"failed"'
expect_equal "$(csv lr=0.1-seed1 exit_code)" 5
expect_equal "$(csv lr=0.1-seed1 best_val_top1)" ""
expect_equal "$(awk '$1 == "0.1" { print $2, $3 }' "$output")" "0/2 -"
expect_equal "$(awk '$1 == "0.2" { print $2, $3, $4 }' "$output")" "1/2 0.5000 -"
rm "$STUB/fail" "$STUB/kill" "$STUB/mute"
expect_exit 1 "$sweep" "${grid[@]}"
expect_equal "$(calls)" 6 "what failed by itself is left alone"
expect_exit 0 "$sweep" "${grid[@]}" --retry-failed
expect_equal "$(calls)" 7

# Several at once: all are running before one has ended.
fresh
printf '%s\n' seed1 seed2 seed3 >"$STUB/slow"
expect_running() { [[ $(calls) == 3 ]]; }
last_command="$sweep, three at once"
"$sweep" base.json --seeds 1,2,3,4 --jobs 3 -o "$out" >"$output" 2>"$errors" &
sweep_pid=$!
wait_for 20 expect_running
rm "$STUB/slow"
wait "$sweep_pid" || fail "the sweep with three jobs failed"
expect_equal "$(calls)" 4

# interrupt SIGNAL: the sweep passes one SIGTERM on, waits until all have saved, starts nothing more and exits with 130.
interrupt() {
  local code=0
  last_command="$sweep, sent $1"
  fresh
  printf '%s\n' seed1 seed2 >"$STUB/slow"
  # A process started in the background ignores SIGINT unless it is given back its default.
  env --default-signal=INT setsid "$sweep" base.json --seeds 1,2,3 --jobs 2 -o "$out" >"$output" 2>"$errors" &
  sweep_pid=$!
  wait_for 20 test -f "$STUB/ready.seed1" -a -f "$STUB/ready.seed2"
  kill "-$1" -- "-$sweep_pid"
  wait "$sweep_pid" || code=$?
  expect_equal "$code" 130
  expect_equal "$(sort "$STUB/ends")" $'seed1 saved\nseed2 saved'
  expect_equal "$(calls)" 2
  expect_contains "$errors" "0 of 3 points done"
  expect_contains "$errors" "go on with: $sweep base.json --seeds 1,2,3 --jobs 2 -o $out"
  expect_equal "$(csv seed1 status)" '"stopped"'
  expect_equal "$(csv seed3 status)" '"waiting"'
}
interrupt INT
interrupt HUP
interrupt TERM
rm "$STUB/slow"
expect_exit 0 "$sweep" base.json --seeds 1,2,3 --jobs 2 -o "$out"
expect_equal "$(grep resumed "$STUB/ends" | sort)" $'seed1 resumed\nseed2 resumed'

# On a terminal a table stands below the messages and is drawn anew over itself.
fresh
echo seed1 >"$STUB/slow"
echo seed2 >"$STUB/fail"
terminal() { TERM=xterm script -qefc "stty cols 60 && $1" /dev/null; }
if terminal true >/dev/null 2>&1; then
  last_command="$sweep on a terminal"
  terminal "'$sweep' base.json --seeds 1,2,3,4 --jobs 2 -o '$out'" >"$output" 2>"$errors" </dev/null &
  sweep_pid=$!
  wait_for 20 grep -qF '2 done, 1 running, 1 failed, 0 waiting, at most 8 minutes l' "$output"
  expect_contains "$output" "running  seed1  epoch 12/20  val top-1 0.25, best 0.25  8 m" # cut at the terminal's edge
  expect_contains "$output" "failed   seed2  exit code 5"
  expect_contains "$output" $'\e[J'
  rm "$STUB/slow"
  code=0
  wait "$sweep_pid" || code=$?
  expect_equal "$code" 1
  expect_contains "$output" "3 of 4 points done"
  # points that a signal ends while the table is drawn are seen all the same
  fresh
  printf 'seed%d\n' {1..9} >"$STUB/kill"
  expect_exit 1 timeout 120 script -qefc "TERM=xterm '$sweep' base.json --seeds 1,2,3,4,5,6,7,8,9 --jobs 3 -o '$out'" /dev/null
  expect_contains "$output" "0 of 9 points done"
  expect_contains "$output" "ended by signal 9"
else
  echo "sweep: THE TABLE IS NOT TESTED: no pseudo-terminal can be had here (is /dev/pts mounted?)"
fi

# A second signal, not at once, ends what will not save.
fresh
echo seed1 >"$STUB/stuck"
last_command="$sweep, sent TERM twice"
setsid "$sweep" base.json --seeds 1,2 -o "$out" >"$output" 2>"$errors" &
sweep_pid=$!
wait_for 20 test -f "$STUB/ready.seed1"
kill -TERM "$sweep_pid"
kill -TERM "$sweep_pid"
sleep 1.2
expect_equal "$(cat "$STUB/ends")" ""
kill -TERM "$sweep_pid"
code=0
wait "$sweep_pid" || code=$?
expect_equal "$code" 130
expect_equal "$(cat "$STUB/ends")" "seed1 hard"

# A real sweep of a tiny network: two points, cut off in the middle, gone on with, against the same in one piece.
export EFFNETV2=$program
"$program" data synth shapes --images-per-class 6 >/dev/null 2>&1
cat >tiny.json <<'JSON'
{
  "device": "cpu",
  "model": {"stages": [{"block": "mbconv", "expand": 2, "kernel": 3, "stride": 2, "channels": 8, "layers": 1}],
            "stem_channels": 8, "head_channels": 16},
  "data": {"root": "shapes", "image_size": 16},
  "train": {"epochs": 300, "batch_size": 8}
}
JSON
tiny=(tiny.json --grid "train.optimizer.lr=0.01,0.001" --threads 1)
last_command="$sweep, a real one, cut off"
env --default-signal=INT setsid "$sweep" "${tiny[@]}" -o cut >"$output" 2>"$errors" &
sweep_pid=$!
wait_for 60 test -s cut/lr=0.01/metrics.jsonl
kill -INT -- "-$sweep_pid"
code=0
wait "$sweep_pid" || code=$?
expect_equal "$code" 130
expect_no_file cut/lr=0.001
expect_exit 0 "$sweep" "${tiny[@]}" -o cut
expect_exit 0 "$sweep" "${tiny[@]}" -o whole
for point in lr=0.01 lr=0.001; do
  expect_equal "$(jq .epochs "cut/$point/result.json")" 300
  expect_same "cut/$point/checkpoints/last.safetensors" "whole/$point/checkpoints/last.safetensors"
done
expect_exit 0 "$sweep" "${tiny[@]}" -o whole
expect_equal "$(grep -c 'was done' "$errors")" 2

echo "sweep: ok"
