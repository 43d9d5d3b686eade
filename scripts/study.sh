#!/usr/bin/env bash
# Trains the sweeps that docs/results/study.md compares and fills its tables; started again it goes on where it was.
#
#   scripts/study.sh [--tier cpu|full] [--jobs N] IMAGENETTE BIRDS [SWEEP...]
#
#   IMAGENETTE, BIRDS  folders with a folder for each class
#   SWEEP              only these (--list: what there are, in the order in which they are trained)
#   --tier cpu         fewer epochs and small pictures, hours on two cores (default)
#   --tier full        the published lengths, 128 px too: for a card, or for days
#   --jobs N           runs at once, each with one thread: by default the cores on a CPU; 1 and all threads on a card
#   --fp32             float32 also on a CPU (default: bf16, as on a card)
#   --seeds LIST       only these of 1,2,3: the others' rows stay, so that several machines can train a part each, with
#                      otherwise the same options; charts show the runs that are here
#
# The runs lie in sweeps/study/, their rows and charts in docs/results/study/.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
rows=docs/results/study
usage() { sed -n '2,16s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
wrong_usage() {
  echo "study: $*" >&2
  usage >&2
  exit 2
}

tier=cpu
precision=bf16
jobs=
seeds=1,2,3
names=()
while (($# > 0)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --list) names=(list) ;;
    --fp32) precision=fp32 ;;
    --tier | --jobs | --seeds)
      (($# > 1)) || wrong_usage "$1 needs a value"
      printf -v "${1#--}" %s "$2"
      shift
      ;;
    -*) wrong_usage "unknown option $1" ;;
    *) names+=("$1") ;;
  esac
  shift
done
[[ $tier == cpu || $tier == full ]] || wrong_usage "--tier is cpu or full"
imagenette='' birds='' listing=
if [[ ${names[0]:-} == list ]]; then
  listing=yes
else
  ((${#names[@]} >= 2)) || wrong_usage "two folders are needed"
  imagenette=$(realpath -e "${names[0]}") birds=$(realpath -e "${names[1]}")
fi
wanted=("${names[@]:2}")

if [[ -z $jobs ]]; then
  jobs=$(nproc)
  ! nvidia-smi -L >/dev/null 2>&1 || jobs=1
fi
shared=(--seeds "$seeds" --jobs "$jobs")
((jobs == 1)) || shared+=(--threads 1)
# what lets a network learn at this size
modern=(--set model.init=per_group --set 'data.mean=[0.485,0.456,0.406]' --set 'data.std=[0.229,0.224,0.225]'
  --set train.optimizer.lr=0.001)
both=(--grid 'train.scheduler.type=none,plateau')

# sweep NAME DATA BASE VARIANTS [options of sweep.sh]
sweep() {
  local name=$1 data=$2 base=$3 variants=$4
  shift 4
  if [[ -n $listing ]]; then
    echo "$name"
    return
  fi
  ((${#wanted[@]} == 0)) || [[ " ${wanted[*]} " == *" $name "* ]] || return 0
  [[ $* == *precision=* ]] || set -- "$@" --set precision="$precision"
  scripts/sweep.sh "$base" --variants "$variants" "${shared[@]}" --set data.root="$data" "$@" -o "sweeps/study/$name"
  mkdir -p "$rows"
  # so few held-out pictures leave each accuracy uncertain by points; of Imagenette thousands more are there
  local unseen=()
  [[ $data != "$imagenette" || $name == ablation* ]] || unseen=(--unseen)
  scripts/study_rows.py "${unseen[@]}" "sweeps/study/$name" "$rows/$name.csv"
  pictures "$name"
  scripts/study_tables.py
}

# The report's charts of the runs without a schedule, as were published; of the causes, those of the original network.
pictures() {
  local run runs=()
  if ! command -v chromium >/dev/null; then
    echo "study: no pictures without chromium (scripts/setup.sh --browser)" >&2
    return
  fi
  for run in "sweeps/study/$1"/*-seed*; do
    [[ $run == *=plateau* || $run == *depth_mult=0.1-* ]] || runs+=("$run")
  done
  scripts/report_png.sh --scale 2 -o "$rows/$1" "${runs[@]}" >/dev/null
}

ablation=(configs/ablation/imagenette.json configs/ablation/variants)
causes=(configs/study/imagenette-32.json configs/study/causes --grid 'model.mbconv.depth_mult=1,0.1')
networks=configs/study/variants
if [[ $tier == cpu ]]; then
  sweep ablation "$imagenette" "${ablation[@]}" --set train.epochs=20
  sweep check-imagenette "$imagenette" configs/study/imagenette-32.json $networks "${both[@]}" --set train.epochs=100
  sweep check-birds "$birds" configs/study/birds-32.json $networks "${both[@]}" --set train.epochs=100
  sweep causes "$imagenette" "${causes[@]}" --set train.epochs=100
  sweep precision "$imagenette" configs/study/imagenette-32.json configs/study/variants/original.json \
    --grid precision=bf16,fp32 --set train.epochs=100
  sweep ablation-modern "$imagenette" "${ablation[@]}" "${modern[@]}" --set train.epochs=20
  sweep check-imagenette-modern "$imagenette" configs/study/imagenette-32.json $networks "${both[@]}" "${modern[@]}" \
    --set train.epochs=100
  sweep check-birds-modern "$birds" configs/study/birds-32.json $networks "${both[@]}" "${modern[@]}" --set train.epochs=100
else
  sweep ablation-full "$imagenette" "${ablation[@]}"
  sweep ablation-full-modern "$imagenette" "${ablation[@]}" "${modern[@]}"
  for side in 32 128; do
    sweep "check-imagenette-$side" "$imagenette" "configs/study/imagenette-$side.json" $networks "${both[@]}"
    sweep "check-birds-$side" "$birds" "configs/study/birds-$side.json" $networks "${both[@]}"
    sweep "check-imagenette-$side-modern" "$imagenette" "configs/study/imagenette-$side.json" $networks "${both[@]}" "${modern[@]}"
    sweep "check-birds-$side-modern" "$birds" "configs/study/birds-$side.json" $networks "${both[@]}" "${modern[@]}"
  done
fi
