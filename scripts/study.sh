#!/usr/bin/env bash
# Trains the sweeps that docs/results/study.md compares and fills its tables; started again it goes on where it was.
#
#   scripts/study.sh [options] IMAGENETTE BIRDS [SWEEP...]
#
#   IMAGENETTE, BIRDS  folders with a folder for each class
#   SWEEP              only these (--list: what there are, in the order in which they are trained)
#   --tier cpu         fewer epochs and small pictures, about a day on two cores (default)
#   --tier full        the published lengths, 128 px too: for a card, or for days
#   --jobs N           runs at once: by default the cores on a CPU, 1 on a card; one thread each, all where N is 1
#   --fp32             float32 also on a CPU (default: bf16, as on a card)
#   --seeds LIST       only these of 1,2,3: the others' rows stay, so that several machines can train a part each, with
#                      otherwise the same options; charts show the finished runs that are here
#   --retry-failed     try runs again that failed when the study ran before
#   --list             name the sweeps of the tier, and stop
#
# The runs lie in sweeps/study/, their rows and charts in docs/results/study/.
# Exit code: 0 all done, 1 some sweeps lack runs, rows or charts, 2 usage, otherwise that of scripts/sweep.sh.
set -euo pipefail

# One command in braces, which bash reads whole before it starts: this file may change while a study runs for days.
# shellcheck disable=SC2317  # every() calls some functions
{

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
rows=docs/results/study
say() { echo "study: $*" >&2; }
wrong_usage() {
  say "$*"
  say "see scripts/study.sh --help"
  exit 2
}

tier=cpu
precision=bf16
jobs=
seeds=1,2,3
retry_failed=()
listing=
words=()
while (($# > 0)); do
  case $1 in
    -h | --help)
      sed -n '2,/^set -e/{/^set -e/!s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --list) listing=yes ;;
    --fp32) precision=fp32 ;;
    --retry-failed) retry_failed=("$1") ;;
    --tier | --jobs | --seeds)
      (($# > 1)) || wrong_usage "$1 needs a value"
      printf -v "${1#--}" %s "$2"
      shift
      ;;
    -*) wrong_usage "unknown option $1" ;;
    *) words+=("$1") ;;
  esac
  shift
done
[[ $tier == cpu || $tier == full ]] || wrong_usage "--tier $tier: expected cpu or full"
[[ $jobs =~ ^([1-9][0-9]{0,2})?$ ]] || wrong_usage "--jobs $jobs: expected a number from 1 up"

if [[ -z $jobs ]]; then
  jobs=$(nproc)
  ! nvidia-smi -L >/dev/null 2>&1 || jobs=1
fi
shared=(--seeds "$seeds" --jobs "$jobs" "${retry_failed[@]}")
((jobs == 1)) || shared+=(--threads 1)
# what lets a network learn at this size
modern=(--set model.init=per_group --set 'data.mean=[0.485,0.456,0.406]' --set 'data.std=[0.229,0.224,0.225]'
  --set train.optimizer.lr=0.001)
both=(--grid 'train.scheduler.type=none,plateau')
ablation=(configs/ablation/imagenette.json configs/ablation/variants)
causes=(configs/study/imagenette-32.json configs/study/causes --grid 'model.mbconv.depth_mult=1,0.1')
networks=configs/study/variants

# every COMMAND: called for each sweep of the tier as COMMAND NAME DATA BASE VARIANTS [options of sweep.sh]
every() {
  if [[ $tier == cpu ]]; then
    "$1" ablation imagenette "${ablation[@]}" --set train.epochs=20
    "$1" check-imagenette imagenette configs/study/imagenette-32.json $networks "${both[@]}" --set train.epochs=100
    "$1" check-birds birds configs/study/birds-32.json $networks "${both[@]}" --set train.epochs=100
    "$1" causes imagenette "${causes[@]}" --set train.epochs=100
    "$1" precision imagenette configs/study/imagenette-32.json $networks/original.json --grid precision=bf16,fp32 \
      --set train.epochs=100
    "$1" ablation-modern imagenette "${ablation[@]}" "${modern[@]}" --set train.epochs=20
    "$1" check-imagenette-modern imagenette configs/study/imagenette-32.json $networks "${both[@]}" "${modern[@]}" \
      --set train.epochs=100
    "$1" check-birds-modern birds configs/study/birds-32.json $networks "${both[@]}" "${modern[@]}" --set train.epochs=100
  else
    local side data
    "$1" ablation-full imagenette "${ablation[@]}"
    "$1" ablation-full-modern imagenette "${ablation[@]}" "${modern[@]}"
    for side in 32 128; do
      for data in imagenette birds; do
        "$1" check-$data-$side $data configs/study/$data-$side.json $networks "${both[@]}"
        "$1" check-$data-$side-modern $data configs/study/$data-$side.json $networks "${both[@]}" "${modern[@]}"
      done
    done
  fi
}

name_of() { echo "$1"; }
if [[ -n $listing ]]; then
  every name_of
  exit 0
fi

((${#words[@]} >= 2)) || wrong_usage "two folders are needed"
for folder in "${words[@]:0:2}"; do
  [[ -d $folder ]] || wrong_usage "there is no folder $folder"
done
declare -A folders
folders[imagenette]=$(realpath "${words[0]}")
folders[birds]=$(realpath "${words[1]}")
wanted=("${words[@]:2}")
mapfile -t names < <(every name_of)
for name in "${wanted[@]}"; do
  [[ " ${names[*]} " == *" $name "* ]] || wrong_usage "tier $tier has no sweep $name (--list names them)"
done
cd "$repo"

# A report's charts, without the runs with a schedule, as were published; of the causes, those of the original network.
pictures() {
  local result run runs=()
  for result in "sweeps/study/$1"/*-seed*/result.json; do
    run=${result%/result.json}
    [[ $run == *=plateau* || $run == *depth_mult=0.1-* ]] || runs+=("$run")
  done
  if ! command -v chromium >/dev/null; then
    say "no charts of $1 without chromium (scripts/setup.sh --browser)"
    return
  fi
  ((${#runs[@]} > 0)) || return 0
  rm -rf "$rows/$1.partial"
  scripts/report_png.sh --scale 2 -o "$rows/$1.partial" "${runs[@]}" >/dev/null || return 1
  rm -rf "${rows:?}/$1"
  mv "$rows/$1.partial" "$rows/$1"
}

declare -A incomplete=()
sweep() {
  local name=$1 data=$2 base=$3 variants=$4 code=0 unseen=()
  shift 4
  ((${#wanted[@]} == 0)) || [[ " ${wanted[*]} " == *" $name "* ]] || return 0
  if [[ $* != *precision=* ]]; then
    scripts/study_rows.py --expect "$precision" "$rows/$name.csv" || exit
    set -- "$@" --set precision="$precision"
  fi
  scripts/sweep.sh "$base" --variants "$variants" "${shared[@]}" --set data.root="${folders[$data]}" "$@" \
    -o "sweeps/study/$name" || code=$?
  ((code <= 1)) || exit "$code"
  ((code == 0)) || incomplete[$name]=runs
  # so few held-out pictures leave each accuracy uncertain by points; of Imagenette thousands more are there
  [[ $data != imagenette || $name == ablation* ]] || unseen=(--unseen)
  if ! scripts/study_rows.py "${unseen[@]}" "sweeps/study/$name" "$rows/$name.csv"; then
    incomplete[$name]=rows
    return 0
  fi
  pictures "$name" || incomplete[$name]+=${incomplete[$name]:+ and }charts
  scripts/study_tables.py
}
mkdir -p "$rows"
every sweep
for name in "${!incomplete[@]}"; do
  say "$name lacks ${incomplete[$name]}; the same command goes on, with --retry-failed also where runs failed by themselves"
done
((${#incomplete[@]} == 0)) || exit 1
exit 0
}
