#!/usr/bin/env bash
# The whole main job through the program: train, refuse, resume, eval, interrupt, kill, diverge.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
program=$1
work=$temp/work
mkdir "$work"

"$program" data synth "$work/shapes" --images-per-class 12 > /dev/null 2>&1
cat > "$work/tiny.json" << 'JSON'
{
  "name": "tiny", "device": "cpu", "threads": 1,
  "model": {"stages": [{"block": "fused_mbconv", "expand": 1, "kernel": 3, "stride": 1, "channels": 8, "layers": 1},
                       {"block": "mbconv", "expand": 2, "kernel": 3, "stride": 2, "channels": 16, "layers": 2}],
            "stem_channels": 8, "head_channels": 32, "init": "per_group"},
  "data": {"root": "shapes", "image_size": 16, "augment": {"flip": 0.5}},
  "train": {"epochs": 3, "batch_size": 16, "optimizer": {"lr": 0.005}}
}
JSON
tiny=$work/tiny.json

# a run and what it leaves
expect_exit 0 "$program" train "$tiny" --run-dir "$work/a"
expect_contains "$output" "done: best validation top-1"
expect_lacks "$errors" $'\r'
expect_equal "$(grep -cE 'epoch [1-3]/3: lr 0.005, train loss [0-9.]+, top-1 [0-9.]+, val loss .* img/s' "$errors")" 3 \
  "one line per epoch where there is no terminal"
expect_contains "$output" "$work/a"
for file in config.json env.json log.txt metrics.jsonl metrics.csv result.json checkpoints/state.safetensors \
  checkpoints/best.safetensors checkpoints/last.safetensors; do
  expect_file "$work/a/$file"
done
expect_equal 3 "$(wc -l < "$work/a/metrics.jsonl")" "metrics rows"
expect_equal 4 "$(wc -l < "$work/a/metrics.csv")" "csv lines"
expect_equal epochs "$(jq -r .stopped_by "$work/a/result.json")" "stopped_by"
expect_equal 3 "$(jq -r .epochs "$work/a/result.json")" "epochs"
expect_equal "$(jq -r .best.val_top1 "$work/a/result.json")" \
  "$(jq -s 'max_by(.val_top1).val_top1' "$work/a/metrics.jsonl")" "best"

# the same again elsewhere: the same bytes
expect_exit 0 "$program" train "$tiny" --run-dir "$work/b" --quiet
expect_same "$work/a/checkpoints/last.safetensors" "$work/b/checkpoints/last.safetensors"
expect_same "$work/a/checkpoints/best.safetensors" "$work/b/checkpoints/best.safetensors"

# a directory that holds a run is not written over unasked
expect_exit 2 "$program" train "$tiny" --run-dir "$work/a"
expect_contains "$errors" "holds a run already"
expect_exit 0 "$program" train "$tiny" --run-dir "$work/a" --resume
expect_contains "$output" "already done"
# killed after its result and before its last page: both of these go
echo half >"$work/a/.tmp-1-1-report.html"
touch -d '1 hour ago' "$work/a/report.html"
expect_exit 0 "$program" resume "$work/a"
[[ ! -e $work/a/.tmp-1-1-report.html ]] || fail "a temporary file of a finished run stayed"
[[ ! $work/a/report.html -ot $work/a/result.json ]] || fail "the last page of a finished run was not drawn"
expect_contains "$output" "already done"
expect_exit 0 "$program" train "$tiny" --run-dir "$work/b" --overwrite --quiet
expect_same "$work/a/checkpoints/last.safetensors" "$work/b/checkpoints/last.safetensors"

# nor is a file that no run wrote, whatever is asked; and what is refused leaves nothing behind
mkdir "$work/mine"
printf '// mine\n{"extends": "../tiny.json"}\n' >"$work/mine/config.json"
echo my,table >"$work/mine/metrics.csv"
cp -r "$work/mine" "$work/as_it_was"
for ask in "" --resume --overwrite; do
  # shellcheck disable=SC2086
  expect_exit 2 "$program" train "$work/mine/config.json" --run-dir "$work/mine" $ask
  expect_contains "$errors" "holds files that are no run's"
done
expect_exit 2 "$program" resume "$work/mine"
diff -r "$work/mine" "$work/as_it_was" >&2 || fail "files of others were changed"
expect_exit 3 "$program" train "$tiny" --set data.root="$work/nothing" --run-dir "$work/refused"
expect_no_file "$work/refused"
for ask in "" --dry-run; do
  # shellcheck disable=SC2086
  expect_exit 2 env -u IMAGENETTE "$program" train "$repo/configs/imagenette-32.json" --run-dir "$work/refused" $ask
  expect_contains "$errors" "--set data.root=DIR"
done

# what data.skip_greyscale leaves out is told
cp -r "$work/shapes" "$work/grey"
jq -r '.[] | select(.name == "grey").file' "$repo/tests/golden/image_jpeg.json" | base64 -d >"$work/grey/circle/grey.jpg"
expect_exit 0 "$program" train "$tiny" --set data.root="$work/grey" data.skip_greyscale=true --dry-run
expect_contains "$output" "1 grey pictures are left out (data.skip_greyscale)"
expect_exit 0 "$program" train "$tiny" --set data.root="$work/grey" data.skip_greyscale=true train.epochs=1 --run-dir "$work/g"
expect_contains "$errors" "1 grey ones are left out (data.skip_greyscale)"
expect_lacks "$work/a/log.txt" "grey"

# nor does a run begin in its own data, of which its folders would be classes the next time
cp -r "$work/shapes" "$work/data"
expect_exit 2 env -C "$work/data" "$(realpath "$program")" train "$tiny" --set data.root=.
expect_contains "$errors" "runs: lies in data.root"
expect_exit 2 "$program" train "$tiny" --set data.root="$work/data" --run-dir "$work/data"
diff -r "$work/data" "$work/shapes" >&2 || fail "the data were changed"

# a finished run stays what it is, and a config that was edited since is told of
expect_exit 0 "$program" resume "$work/b"
expect_lacks "$errors" "was changed"
cp -r "$work/b" "$work/edited"
sed -i 's/"lr": 0.005/"lr": 0.5/' "$work/edited/config.json"
expect_exit 0 "$program" resume "$work/edited"
expect_contains "$errors" "config.json: was changed after the run had ended"

# eval gives the training's own figures back, to the rounding of BatchNorm folded into the convolutions
expect_exit 0 "$program" eval "$work/a" --json --quiet
expect_equal "$(jq -r .best.val_top1 "$work/a/result.json")" "$(jq -r .top1 "$output")" "eval top-1"
expect_equal "$(jq --argjson loss "$(jq .best.val_loss "$work/a/result.json")" '.loss - $loss | fabs < 1e-5' "$output")" true "eval loss"
expect_equal 10 "$(jq '.per_class | length' "$output")" "classes"
expect_exit 0 "$program" eval "$work/a" --checkpoint last --split train
expect_exit 0 "$program" eval --weights "$work/a/checkpoints/best.safetensors" --config "$tiny" --json --quiet \
  -o "$work/figures"
expect_equal "$(jq -r .best.val_top1 "$work/a/result.json")" "$(jq -r .top1 "$output")" "eval --weights top-1"
expect_exit 2 "$program" eval
expect_exit 2 "$program" eval "$work/nowhere"
expect_exit 4 "$program" eval --weights "$tiny" --config "$tiny"

# more epochs continue exactly where a longer run would be
expect_exit 0 "$program" resume "$work/a" --set train.epochs=5 --quiet
expect_exit 0 "$program" train "$tiny" --set train.epochs=5 --run-dir "$work/five" --quiet
expect_same "$work/a/checkpoints/last.safetensors" "$work/five/checkpoints/last.safetensors"
expect_equal 5 "$(wc -l < "$work/a/metrics.jsonl")" "rows after more epochs"

# other settings or other images are refused by name
expect_exit 2 "$program" resume "$work/five" --set train.optimizer.lr=0.01 --set train.epochs=9
expect_contains "$errors" "train.optimizer.lr"
expect_exit 2 "$program" train "$tiny" --set model.dropout=0.6 --run-dir "$work/five" --resume
expect_contains "$errors" "model.dropout"
cp -r "$work/shapes" "$work/moved"
expect_exit 0 "$program" resume "$work/five" --set data.root="$work/moved" --set train.epochs=6 --quiet
rm "$(find "$work/moved" -name '*.png' | sort | head -1)"
expect_exit 3 "$program" resume "$work/five" --set train.epochs=7
expect_contains "$errors" 'class "checkerboard": 10 training images before, 9 now'

# a signal: the step ends, the state is saved, 130; resume ends with the same bytes
"$program" train "$tiny" --set train.epochs=40 --run-dir "$work/signal" > /dev/null 2> "$work/signal.err" &
child=$!
wait_for 60 test -s "$work/signal/metrics.jsonl"
kill -TERM $child
code=0
wait $child || code=$?
expect_equal 130 "$code" "exit code after SIGTERM"
expect_contains "$work/signal.err" "effnetv2 resume"
expect_exit 0 "$program" resume "$work/signal" --quiet
expect_exit 0 "$program" train "$tiny" --set train.epochs=40 --run-dir "$work/forty" --quiet
expect_same "$work/signal/checkpoints/last.safetensors" "$work/forty/checkpoints/last.safetensors"

# one process per run directory
"$program" train "$tiny" --set train.epochs=400 --run-dir "$work/busy" --quiet > /dev/null 2>&1 &
child=$!
wait_for 60 test -s "$work/busy/metrics.jsonl"
expect_exit 6 "$program" resume "$work/busy"
expect_contains "$errors" "in use by another process"
kill -KILL $child
wait $child 2> /dev/null || true

# a damaged state is named and the previous one used
expect_exit 0 "$program" train "$tiny" --run-dir "$work/damaged" --quiet
state=$work/damaged/checkpoints/state.safetensors
printf 'x' | dd of="$state" bs=1 seek=$(($(stat -c %s "$state") - 5000)) conv=notrunc 2> /dev/null
rm "$work/damaged/result.json"
expect_exit 0 "$program" resume "$work/damaged"
expect_contains "$errors" "state.safetensors: is damaged"
expect_same "$work/damaged/checkpoints/last.safetensors" "$work/b/checkpoints/last.safetensors"

# divergence: exit 5 with step, rate and checkpoint
expect_exit 5 "$program" train "$tiny" --set train.optimizer.lr=1e30 --run-dir "$work/diverged"
expect_contains "$errors" "learning rate 1e+30"
expect_contains "$errors" "checkpoint"

# nothing is written by a dry run, and it says what would happen
expect_exit 0 "$program" train "$tiny" --run-dir "$work/dry" --dry-run
for text in '"batch_size": 16' '"init": "per_group"' "checkerboard                            10           2         0" \
  "all                                    100          20         0" "MACs per image    0.000 G" "blocks            3" \
  "steps per epoch   7" "steps in all      21" "estimated memory"; do
  expect_contains "$output" "$text"
done
expect_equal "$(awk '$1 == "parameters" { print $2 }' "$output" | tr -d ,)" \
  "$("$program" summary "$tiny" --set model.num_classes=10 --json | jq .parameters)" "parameters"
expect_no_file "$work/dry"

# bad input: its own code, a message that names it
expect_exit 2 "$program" train "$work/missing.json"
expect_exit 2 "$program" train "$tiny" --set train.epoch=3 --run-dir "$work/x"
expect_contains "$errors" "train.epochs"
expect_exit 3 "$program" train "$tiny" --set data.root="$work/nothing" --run-dir "$work/x"
expect_contains "$errors" "nothing"

# names that are no UTF-8, of a class and of a damaged file, are written escaped
mkdir "$work/odd"
cp -r "$work/shapes/circle" "$work/odd/circle"
cp -r "$work/shapes/square" "$work/odd/"$'caf\xe9'
echo "no image" > "$work/odd/circle/"$'\xff.png'
expect_exit 0 "$program" train "$tiny" --set data.root="$work/odd" data.on_bad_image=skip train.epochs=1 \
  --run-dir "$work/odd-run"
expect_contains "$errors" 'cannot be decoded: circle/\xFF.png'
expect_equal 1 "$(jq .bad_images "$work/odd-run/result.json")" "bad images"
expect_exit 0 "$program" eval "$work/odd-run" --json
expect_equal '["caf\\xE9","circle"]' "$(jq -c '[.per_class[].name]' "$output")" "class names"
# so are those of the command line, in a run's papers: a run there is replaced, or goes on
cp -r "$work/a" "$work/"$'odd\xe9'
expect_exit 0 "$program" resume "$work/"$'odd\xe9' --set train.epochs=6 --quiet
expect_contains "$work/"$'odd\xe9/env.json' '/odd\\xE9"'
cp "$tiny" "$work/"$'tiny\xe9.json'
expect_exit 0 "$program" train "$work/"$'tiny\xe9.json' --run-dir "$work/"$'odd\xe9' --overwrite --quiet
expect_same "$work/"$'odd\xe9/checkpoints/last.safetensors' "$work/b/checkpoints/last.safetensors"

# closed streams: no file of the run takes the place of one
expect_exit 6 bash -c "'$program' train '$tiny' --run-dir '$work/closed' --set train.epochs=2 <&- >&- 2>&-"
expect_equal "$(jq -s length "$work/closed/metrics.jsonl")" 2 "rows, and nothing else"
expect_equal "$(grep -c "done:" "$work/closed/.lock")" 0 "the lock holds no remark"

# foreign JSON as deep as stack is, in a run and in weights
cp -r "$work/b" "$work/deep"
python3 -c 'print("{\"best\":" + "[" * 200000 + "]" * 200000 + ",\"epochs\":3,\"stopped_by\":\"epochs\",\"seconds\":1}")' >"$work/deep/result.json"
expect_exit 0 "$program" resume "$work/deep"
expect_contains "$errors" "result.json: is damaged; it is made again"

# killed at random moments: the same bytes
EFFNETV2=$program expect_exit 0 "$repo"/scripts/crash_check.sh "$tiny" --kills 6 --seed 3 --set train.epochs=12
expect_contains "$output" "identical"

EFFNETV2=$program expect_exit 0 "$repo"/scripts/crash_check.sh "$tiny" --kills 3 --seed 4 --set train.epochs=8 precision=bf16
expect_contains "$output" "identical"

# another processor's instructions round otherwise: told, and in the run's papers
expect_equal "$(jq -r '.cpu_level | . == "baseline" or . == "avx2" or startswith("avx512")' "$work/b/env.json")" true
if [[ $(jq -r .cpu_level "$work/b/env.json") != baseline ]]; then
  EFFNETV2_CPU=baseline expect_exit 0 "$program" resume "$work/b" --set train.epochs=4
  expect_contains "$errors" "goes on with baseline"
fi

# on a terminal: a bar with loss, accuracy and speed, and the epochs' lines above it
bar() { TERM=xterm script -qec "stty cols 100 && $1" /dev/null; }
if bar true > /dev/null 2>&1; then
  expect_exit 0 bar "'$program' train '$tiny' --run-dir '$work/bar'"
  expect_contains "$output" $'\r'
  expect_contains "$output" "epoch 1/3"
  drawn='^epoch [1-3]/3 .* loss [0-9.]+ top-1 [0-9.]+ [0-9]+ img/s'
  expect_equal "$(tr '\r' '\n' < "$output" | grep -cE "$drawn" | awk '{ print ($1 > 0) }')" 1 "a bar was drawn"
else
  echo "train: THE BAR IS NOT TESTED: no pseudo-terminal can be had here (is /dev/pts mounted?)"
fi

echo "train: ok"
