#!/usr/bin/env bash
# Stands in for effnetv2 where only the command line's contract matters:
#   stub.sh config show BASE [--set ...]
#   stub.sh train BASE [--set KEY=VALUE ...] --run-dir DIR --resume
#   stub.sh train BASE ... --dry-run, and bench: 36 seconds a step, 100 steps, a million parameters
# What it does is said in files of the folder STUB, each with names of run directories: fail, kill, mute (no result.json),
# slow (trains until the name is gone) and stuck (as slow, and saves for ten seconds). Every training is noted in
# STUB/calls, how it ended in STUB/ends.
set -euo pipefail

: "${STUB:?}"

if [[ $1 == config ]]; then
  if [[ $* == *nonsense* ]]; then
    echo "error: nonsense is not a key" >&2
    exit 2
  fi
  echo "{\"content\": $(jq -c . "$3"), \"settings\": \"${*:4}\", \"threads\": $(jq '.threads // "auto"' "$3")}"
  exit 0
fi

if [[ $1 == bench ]]; then
  echo '{"median_step_ms": 36000}'
  exit 0
fi
if [[ $* == *--dry-run* ]]; then
  printf 'parameters        1,000,000\nsteps in all      100\n'
  exit 0
fi

seed=7 lr=0 run_dir='' arguments=("$@")
for ((i = 0; i < ${#arguments[@]}; i++)); do
  case ${arguments[i]} in
    seed=*) seed=${arguments[i]#*=} ;;
    train.optimizer.lr=*) lr=${arguments[i]#*=} ;;
    --run-dir) run_dir=${arguments[i + 1]} ;;
  esac
done
name=$(basename "$run_dir")
told() { grep -qxF -e "$name" "$STUB/$1" 2>/dev/null; }

echo "$*" >>"$STUB/calls"
mkdir -p "$run_dir"
echo "{\"seed\": $seed, \"train\": {\"epochs\": 20}}" >"$run_dir/config.json"
if told fail; then
  echo "error: the loss is not finite at step 3" >&2
  exit 5
fi
if told kill; then kill -KILL $$; fi
if told mute; then exit 0; fi

signals=0
saved() {
  signals=$((signals + 1))
  if ((signals > 1)); then
    echo "$name hard" >>"$STUB/ends"
    exit 137
  fi
}
trap saved INT TERM
echo '{"epoch": 12, "epoch_seconds": 60, "val_top1": 0.25}' >"$run_dir/metrics.jsonl"
touch "$STUB/ready.$name"
while { told slow || told stuck; } && ((signals == 0)); do sleep 0.05; done
if ((signals > 0)); then
  told stuck && steps=200 || steps=6
  for ((i = 0; i < steps; i++)); do sleep 0.05; done
  touch "$run_dir/saved"
  echo "$name saved" >>"$STUB/ends"
  exit 130
fi

if [[ -f $run_dir/saved ]]; then echo "$name resumed" >>"$STUB/ends"; fi
jq -n --argjson seed "$seed" --argjson lr "$lr" \
  '{stopped_by: "epochs", best: {epoch: (10 + $seed), val_top1: ($lr + $seed / 10), val_loss: 0.5},
    final: {val_top1: 0.25, train_loss: 0.125}, epochs: 20, seconds: 120, bad_images: 0}' >"$run_dir/result.json"
