#!/usr/bin/env bash
# Trains one config over a grid of settings and seeds, each point into a run directory of its own.
# Started again with the same command it skips what is done and continues what was cut off.
#
#   scripts/sweep.sh BASE.json -o DIR [--grid KEY=V1,V2,...]... [--seeds 1,2,3] [options]
#
#   -o DIR             where the runs, logs/ and sweep.csv go
#   --variants PATHS   configs that are each laid over BASE: files, or folders of them, separated by commas
#   --grid KEY=V1,V2   settings to vary; several --grid are combined. Lists and objects are JSON: --grid 'a.b=[1,2],[3]'
#   --seeds 1,2,3      every point once per seed
#   --set KEY=VALUE    a setting that all points share
#   --jobs N           points trained at once (default 1)
#   --threads N        threads of each (default: the config's, or the cores divided by --jobs; kept when the sweep is
#                      started again)
#   --device NAME      where they train, as for "effnetv2 train"
#   --gpus 0,1         one point at a time on each of these CUDA devices (instead of --jobs and --device)
#   --retry-failed     try points again that failed by themselves when the sweep ran before (exit codes 2 to 5); others
#                      go on in any case
#   --dry-run          list the points, say what they may cost, and stop
#
# EFFNETV2 names the program, by default build/release/effnetv2.
# Exit code: 0 all done, 1 some points failed, 2 usage, 6 a program or folder is missing or another
# sweep is in the folder, 130 interrupted after saving.
set -euo pipefail

# One command in braces, which bash reads whole before it starts: this file may change while a sweep runs for days.
# shellcheck disable=SC2317  # traps call some functions
{

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=${EFFNETV2:-$repo/build/release/effnetv2}

# Words as one would type them, quoted only where the shell needs it.
typed() {
  local word line=''
  for word in "$@"; do
    [[ $word =~ ^[A-Za-z0-9_./,:=+-]+$ ]] || word=${word@Q}
    line+="${line:+ }$word"
  done
  echo "$line"
}
command_line=$(typed "$0" "$@")

# shellcheck source=scripts/sweep_live.sh
source "$repo/scripts/sweep_live.sh"

say() {
  erase_live
  echo "sweep: $*" >&2 || true
}
usage_error() {
  say "$*"
  say "see scripts/sweep.sh --help"
  exit 2
}

# ---- the command line

base=''
out=''
seeds=()
jobs=1
threads=''
dry_run=''
retry_failed=''
gpus=()
variants=()  # files, in the order given
keys=()    # grid keys, in the order given
grid=()    # grid[i]: the values of keys[i], one a line
shared=()  # --set and --device for every point

# Splits at the commas outside quotes, brackets and braces; prints one value a line.
split_values() {
  local text=$1 value='' character quoted='' depth=0 i
  for ((i = 0; i < ${#text}; i++)); do
    character=${text:i:1}
    if [[ -n $quoted ]]; then
      [[ $character != '"' || ${text:i-1:1} == \\ ]] || quoted=''
    else
      case $character in
        '"') quoted=yes ;;
        '[' | '{') depth=$((depth + 1)) ;;
        ']' | '}') depth=$((depth - 1)) ;;
        ',')
          if ((depth == 0)); then
            printf '%s\n' "$value"
            value=''
            continue
          fi
          ;;
      esac
    fi
    value+=$character
  done
  printf '%s\n' "$value"
  [[ -z $quoted && $depth == 0 ]]
}

add_grid() {
  local key=${1%%=*} values
  [[ $1 == *=* && $key =~ ^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*$ ]] ||
    usage_error "--grid '$1': expected KEY=V1,V2, such as train.optimizer.lr=0.001,0.0001"
  [[ $key != variant ]] || usage_error "--grid '$1': variants are files, given with --variants"
  [[ $key != seed ]] || usage_error "--grid '$1': seeds go into --seeds ${1#*=}"
  [[ " ${keys[*]} " != *" $key "* ]] || usage_error "--grid '$1': $key is given twice"
  [[ $1 != *$'\n'* ]] || usage_error "--grid $key: a value may not contain a line break"
  values=$(split_values "${1#*=}") || usage_error "--grid '$1': a quote or bracket is not closed"
  if grep -qx '' <<<"$values"; then
    usage_error "--grid '$1': a value is empty (null is a value, and so is '\"\"')"
  fi
  [[ -z $(sort <<<"$values" | uniq -d) ]] || usage_error "--grid '$1': a value is given twice"
  keys+=("$key")
  grid+=("$values")
}

add_variants() {
  local path found
  local -a paths
  IFS=, read -ra paths <<<"$1"
  for path in "${paths[@]}"; do
    [[ $path != -* ]] || path=./$path  # no option of what it is handed to
    if [[ -d $path ]]; then
      mapfile -t found < <(find "$path" -maxdepth 1 -name '*.json' ! -name '.*' | LC_ALL=C sort)
      ((${#found[@]} > 0)) || usage_error "--variants: $path holds no .json"
      variants+=("${found[@]}")
    elif [[ -f $path ]]; then
      variants+=("$path")
    else
      usage_error "--variants: there is no file or folder $path"
    fi
  done
}

is_count() { [[ $1 =~ ^[1-9][0-9]{0,5}$ ]]; }

in_grid=''
device=''
jobs_given=''
while (($# > 0)); do
  option=$1
  shift
  case $option in
    -h | --help)
      sed -n '2,/^set -e/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --dry-run) dry_run=yes ;;
    --retry-failed) retry_failed=yes ;;
    -o | --output | --variants | --gpus | --grid | --seeds | --set | --jobs | --threads | --device)
      (($# > 0)) || usage_error "$option needs a value"
      in_grid=''
      case $option in
        -o | --output) out=$1 ;;
        --grid)
          add_grid "$1"
          in_grid=yes
          ;;
        --seeds)
          [[ $1 =~ ^(0|[1-9][0-9]*)(,(0|[1-9][0-9]*))*$ ]] || usage_error "--seeds '$1': expected numbers, such as 1,2,3"
          IFS=, read -ra seeds <<<"$1"
          [[ -z $(printf '%s\n' "${seeds[@]}" | sort | uniq -d) ]] || usage_error "--seeds '$1': a seed is given twice"
          ;;
        --set)
          [[ $1 == ?*=* ]] || usage_error "--set '$1': expected KEY=VALUE"
          shared+=(--set "$1")
          ;;
        --jobs)
          is_count "$1" || usage_error "--jobs '$1': expected a number from 1 up"
          jobs=$1
          jobs_given=yes
          ;;
        --threads)
          is_count "$1" || usage_error "--threads '$1': expected a number from 1 up"
          threads=$1
          ;;
        --device)
          device=$1
          shared+=(--device "$1")
          ;;
        --variants) add_variants "$1" ;;
        --gpus)
          [[ $1 =~ ^[0-9]+(,[0-9]+)*$ ]] || usage_error "--gpus '$1': expected numbers of CUDA devices, such as 0,1"
          IFS=, read -ra gpus <<<"$1"
          [[ -z $(printf '%s\n' "${gpus[@]}" | sort | uniq -d) ]] || usage_error "--gpus '$1': a device is given twice"
          ;;
      esac
      shift
      ;;
    -*) usage_error "unknown option $option" ;;
    *)
      # --grid a=1,2 b=3,4 goes on with what looks like a setting.
      if [[ -n $in_grid && $option == *=* ]]; then
        add_grid "$option"
      elif [[ -z $base ]]; then
        base=$option
      else
        usage_error "unexpected argument '$option' (the base config is $base)"
      fi
      ;;
  esac
done

[[ -n $base ]] || usage_error "no base config given"
[[ -f $base ]] || usage_error "there is no config $base"
[[ -n $out ]] || usage_error "no output folder given: -o DIR"
((${#keys[@]} + ${#seeds[@]} + ${#variants[@]} > 0)) || usage_error "nothing to vary: give --variants, --grid or --seeds"
if ((${#gpus[@]} > 0)); then
  [[ -z $jobs_given && -z $device ]] || usage_error "--gpus says how many points train at once and where; leave out --jobs and --device"
  jobs=${#gpus[@]}
fi
# A variant is one more thing to vary, named by its file.
variant_names=()
for file in "${variants[@]}"; do
  name=$(basename -- "$file" .json)
  [[ $name =~ ^[A-Za-z0-9_+-][A-Za-z0-9._+-]*$ ]] ||
    usage_error "--variants: $file: a name of letters, digits and ._+- is needed, with no dot at its beginning"
  variant_names+=("$name")
done
if ((${#variants[@]} > 0)); then
  [[ -z $(printf '%s\n' "${variant_names[@]}" | sort | uniq -d) ]] ||
    usage_error "--variants: two files are called $(printf '%s\n' "${variant_names[@]}" | sort | uniq -d | head -n 1)"
  for name in "${variant_names[@]}"; do
    [[ $name != logs && $name != variants && $name != sweep.csv* ]] ||
      usage_error "--variants: $name is a name that the sweep needs for itself; rename the file"
  done
  keys=(variant "${keys[@]}")
  grid=("$(printf '%s\n' "${variant_names[@]}")" "${grid[@]}")
fi
for setting in "${shared[@]}"; do
  key=${setting%%=*}
  if [[ $setting == *=* && " ${keys[*]} seed " == *" $key "* ]]; then
    [[ $key == seed && ${#seeds[@]} == 0 ]] || usage_error "$key is both in --set and in --grid or --seeds"
  fi
done
command -v "$program" >/dev/null || {
  say "there is no program $program: build it (scripts/build.sh), or name it in EFFNETV2"
  exit 6
}
command -v jq >/dev/null || {
  say "jq is missing: scripts/setup.sh installs it"
  exit 6
}

# ---- the points

# The last components of each key, as many as it takes to tell the keys apart.
short_names() {
  local depth key parts known
  for ((depth = 1; ; depth++)); do
    known=()
    for key in "${keys[@]}"; do
      IFS=. read -ra parts <<<"$key"
      while ((${#parts[@]} > depth)); do parts=("${parts[@]:1}"); done
      known+=("$(IFS=. && echo "${parts[*]}")")
    done
    [[ -n $(printf '%s\n' "${known[@]}" | sort | uniq -d) ]] || break
  done
  printf '%s\n' "${known[@]}"
}

# A value as a part of a file name: no slash, space or quote, at most 40 characters.
tidy() {
  local text
  text=$(tr -c 'A-Za-z0-9.+\n' '-' <<<"$1" | sed -E 's/-+/-/g; s/(.)-$/\1/')
  [[ $1 == -* ]] || text=${text#-}
  if ((${#text} > 40)); then
    text=${text:0:30}-$(cksum <<<"$1" | cut -d' ' -f1)
  fi
  printf '%s\n' "$text"
}

# The tidy forms of the values of one key; those that look alike get a checksum each.
tidy_values() {
  local value text all
  all=$(while IFS= read -r value; do tidy "$value"; done <<<"$1")
  while IFS= read -r value; do
    text=$(tidy "$value")
    if (($(grep -cxF -e "$text" <<<"$all") > 1)); then
      text=$text-$(cksum <<<"$value" | cut -d' ' -f1)
    fi
    printf '%s\n' "$text"
  done <<<"$1"
}

names=()  # names[i]: the name of point i
cells=()  # cells[i]: its grid values, one a line
point_seeds=()
mapfile -t shorts < <(((${#keys[@]} == 0)) || short_names)

# add_points DEPTH NAME CELLS: every combination of the keys from DEPTH on, the seeds innermost.
add_points() {
  local depth=$1 name=$2 cell=$3 values texts part i seed
  if ((depth == ${#keys[@]})); then
    if ((${#seeds[@]} == 0)); then
      names+=("$name")
      cells+=("$cell")
      point_seeds+=("")
    fi
    for seed in "${seeds[@]}"; do
      names+=("${name:+$name-}seed$seed")
      cells+=("$cell")
      point_seeds+=("$seed")
    done
    return
  fi
  mapfile -t values <<<"${grid[depth]}"
  mapfile -t texts < <(tidy_values "${grid[depth]}")
  for i in "${!values[@]}"; do
    part=${shorts[depth]}=${texts[i]}
    [[ ${keys[depth]} != variant ]] || part=${values[i]}
    add_points $((depth + 1)) "${name:+${name}_}$part" "${cell:+$cell$'\n'}${values[i]}"
  done
}
add_points 0 "" ""
count=${#names[@]}
# logs/NAME.failed.part must be the name of a file too, and most file systems end at 255 bytes
for name in "${names[@]}"; do
  ((${#name} <= 240)) || usage_error "the point $name: its name is ${#name} bytes, 240 are possible: vary fewer keys at once"
done

# temporary_config: an empty file for a config that is only looked at; prints its name.
temporary_config() {
  mktemp --suffix=.json 2>/dev/null || {
    say "no temporary file can be made in ${TMPDIR:-/tmp}: set TMPDIR to a folder that can be written to"
    exit 6
  }
}

# A config that lays a variant over the base.
lay_over() {
  jq -n --arg base "$(realpath "$base")" --arg variant "$(realpath "$1")" '{extends: [$base, $variant]}'
}
# Where that of a variant's name lies; without variants the base itself is trained from.
laid_over() { echo "$out/variants/$1.json"; }
write_variants() {
  local i
  ((${#variants[@]} == 0)) || mkdir -p "$out/variants"
  for i in "${!variants[@]}"; do
    lay_over "${variants[i]}" >"$(laid_over "${variant_names[i]}").part"
    mv "$(laid_over "${variant_names[i]}").part" "$(laid_over "${variant_names[i]}")"
  done
}

# The settings of point i as arguments, into the array `point_settings`, and its config into `point_base`.
settings_of() {
  local values k
  point_settings=("${shared[@]}")
  point_base=$base
  if ((${#keys[@]} > 0)); then
    mapfile -t values <<<"${cells[$1]}"
    for k in "${!keys[@]}"; do
      if [[ ${keys[k]} == variant ]]; then
        point_base=$(laid_over "${values[k]}")
      else
        point_settings+=(--set "${keys[k]}=${values[k]}")
      fi
    done
  fi
  [[ -z ${point_seeds[$1]} ]] || point_settings+=(--set "seed=${point_seeds[$1]}")
}

# ---- training

# The resolved configs tell whether a finished run is of this sweep or of an earlier, different one.
declare -A resolved=()  # config file to its checksum
config_threads=''
resolve() {
  local text
  text=$("$program" config show "$2" "${shared[@]}") || {
    say "$1 with what all points share is not valid; nothing was started"
    exit 2
  }
  config_threads=$(jq -r '.threads' <<<"$text")
  resolved[$2]=$(cksum <<<"$text")
}
for i in "${!variants[@]}"; do
  # checked in a place of its own first: nothing is written for a sweep that does not start
  check=$(temporary_config)
  lay_over "${variants[i]}" >"$check"
  resolve "${variants[i]} over $base" "$check"
  resolved[$(laid_over "${variant_names[i]}")]=${resolved[$check]}
  rm -f "$check"
done
((${#variants[@]} > 0)) || resolve "the base config" "$base"

# Exact resume needs the thread count that a run began with, so the sweep remembers its own.
for setting in "${shared[@]}" "${keys[@]/%/=}"; do
  [[ $setting != threads=* ]] || threads=config
done
if [[ -z $threads && -f $out/logs/threads ]]; then
  threads=$(<"$out/logs/threads")
fi
[[ -n $threads || $config_threads == auto ]] || threads=config
if [[ -z $threads ]]; then
  threads=$(($(nproc) / jobs))
  ((threads > 0)) || threads=1
fi

# The nearest folder on the way to $out that is there.
existing_place() {
  local place
  place=$(realpath -m "$out")
  while [[ ! -d $place ]]; do place=$(dirname "$place"); done
  echo "$place"
}

# Epochs of all points POINT... where they are varied, in those of the first; else how many points there are.
points_of_first() {
  local k at=-1 values first='' sum=0 point
  for k in "${!keys[@]}"; do [[ ${keys[k]} != train.epochs ]] || at=$k; done
  ((at >= 0)) || { echo $#; return; }
  for point in "$@"; do
    mapfile -t values <<<"${cells[point]}"
    [[ ${values[at]} =~ ^[1-9][0-9]*$ ]] || { echo $#; return; }
    [[ -n $first ]] || first=${values[at]}
    sum=$((sum + values[at]))
  done
  awk -v sum="$sum" -v first="$first" 'BEGIN { print sum / first }'
}

# What the points POINT... may cost, if all are like the first: a few steps of it are timed, and a state's size follows
# from the parameters. Says nothing where that cannot be told.
estimate() {
  local left=$# like_first file timing size plan steps bytes free states=1 text=''
  local -a on_threads=()
  like_first=$(points_of_first "$@")
  [[ $threads == config ]] || on_threads=(--threads "$threads")
  settings_of "$1"
  file=$point_base
  if [[ ! -f $file ]]; then
    file=$(temporary_config)
    lay_over "${variants[0]}" >"$file"
  fi
  plan=$("$program" train "$file" "${point_settings[@]}" --dry-run 2>/dev/null) || plan=''
  steps=$(sed -n 's/^steps in all *//p' <<<"$plan" | tail -n 1)
  bytes=$(sed -n 's/^parameters *//p' <<<"$plan" | tr -d , | tail -n 1)
  if [[ $steps =~ ^[0-9]+$ ]]; then
    timing=$("$program" bench "$file" "${point_settings[@]}" "${on_threads[@]}" --mode train --steps 3 --warmup 1 --json --quiet 2>/dev/null |
      jq -r '.median_step_ms | numbers') || timing=''
    [[ -z $timing ]] || text="about $(awk -v ms="$timing" -v steps="$steps" -v left="$like_first" -v jobs="$jobs" 'BEGIN {
      minutes = ms * steps * left / jobs / 60000
      if (minutes < 1) printf "a minute"; else printf minutes < 90 ? "%.0f minutes" : "%.1f hours", minutes < 90 ? minutes : minutes / 60 }')"
    [[ -z $timing ]] || text+=' of training (less where it stops early, more by validation)'
  fi
  if [[ $bytes =~ ^[0-9]+$ ]]; then
    # best and last weights; a state is weights and two moments, and for a moment there are two of them
    grep -q '"keep_state_when_done": false' <<<"$plan" && states=0
    size=$(awk -v n="$bytes" -v left="$left" -v jobs="$jobs" -v states="$states" \
      'BEGIN { printf "%d", n * 4 * (left * (2 + 6 * states) + (states ? 0 : jobs * 6)) }')
    free=$(df --output=avail -B1 "$(existing_place)" 2>/dev/null | tail -n 1) || free=''
    text+="${text:+, }$(numfmt --to=iec "$size") of disk"
    if [[ $free =~ ^[0-9]+$ ]] && ((size > free)); then
      text+=" where only $(numfmt --to=iec "$free") are free: checkpoint.keep_state_when_done=false needs less"
    fi
  fi
  [[ $file == "$point_base" ]] || rm -f "$file"
  [[ -z $text ]] || say "$left points left; if all are like ${names[$1]}: $text"
}

to_train=()
if [[ -n $dry_run ]]; then
  for ((i = 0; i < count; i++)); do
    settings_of "$i"
    state=new
    [[ -f $out/${names[i]}/result.json ]] || to_train+=("$i")
    [[ ! -d $out/${names[i]} ]] || state=begun
    [[ ! -f $out/${names[i]}/result.json ]] || state='done'
    printf '%-5s %s  %s\n' "$state" "$out/${names[i]}" "$(typed "${point_settings[@]}")"
  done
  ((${#to_train[@]} == 0)) || estimate "${to_train[@]}"
  exit 0
fi

# One sweep in a folder. No child may keep descriptor 9: trainings outlive a sweep that is killed, and the next one goes on
# all the same.
take_lock() {
  local code=0
  { exec 9>>"$out/logs/.lock"; } 2>/dev/null || {
    say "$out/logs cannot be written to: choose another -o"
    exit 6
  }
  flock --nonblock --conflict-exit-code 7 9 || code=$?
  ((code != 7)) || {
    say "$out: in use by another sweep; wait for its end, or choose another -o"
    exit 6
  }
}

if ! mkdir -p "$out/logs"; then
  say "$out cannot be made: choose another -o"
  exit 6
fi
take_lock
if ! write_variants; then
  say "$out/variants cannot be written: choose another -o"
  exit 6
fi
if [[ $threads != config ]]; then
  echo "$threads" >"$out/logs/threads"
fi

gpu_of=()
log_from=()    # where the log of a point's last start begins
trained=0      # points that ended in this run of the script
began=$SECONDS
status=() exit_codes=() messages=() rows=()
declare -A running=()  # process id to point
stopping=0
last_signal=0

# What a point's result was made from, to compare with what it would be made from now.
made_from() {
  settings_of "$1"
  echo "${resolved[$point_base]} ${point_settings[*]}"
}

# The point's row for sweep.csv as JSON, into rows[i].
note_row() {
  local i=$1 folder=$out/${names[$1]} values=() result=null seed=${point_seeds[$1]}
  ((${#keys[@]} == 0)) || mapfile -t values <<<"${cells[i]}"
  if [[ ${status[i]} == 'done' ]]; then
    result=$(jq -c . "$folder/result.json" 2>/dev/null) || result=null
  fi
  if [[ -z $seed && -f $folder/config.json ]]; then
    seed=$(jq '.seed' "$folder/config.json" 2>/dev/null) || seed=
  fi
  rows[i]=$(jq -nc --arg name "${names[i]}" --arg seed "$seed" --arg status "${status[i]}" \
    --argjson exit_code "${exit_codes[i]}" --argjson result "$result" \
    '{$name, values: $ARGS.positional, seed: ($seed | tonumber? // null), $status, $exit_code, $result}' \
    --args -- "${values[@]}") || true
}

write_csv() {
  if printf '%s\n' "${rows[@]}" | jq -rsf "$repo/scripts/sweep_csv.jq" --args -- "${keys[@]}" >"$out/sweep.csv.part"; then
    mv "$out/sweep.csv.part" "$out/sweep.csv"
  else
    say "warning: $out/sweep.csv could not be written"
  fi
}

print_table() {
  printf '%s\n' "${rows[@]}" | jq -rsf "$repo/scripts/sweep_table.jq" --args -- "${shorts[@]}" |
    awk -F '\t' '
      { for (i = 1; i <= NF; i++) { cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) } }
      END {
        for (r = 1; r <= NR; r++) {
          line = ""
          for (i = 1; i <= NF; i++) line = line sprintf("%s%" width[i] "s", i > 1 ? "  " : "", cell[r, i])
          print line
        }
      }'
}

# A device that no running point has.
free_gpu() {
  local gpu pid
  for gpu in "${gpus[@]}"; do
    for pid in "${!running[@]}"; do
      [[ ${gpu_of[${running[$pid]}]} != "$gpu" ]] || continue 2
    done
    echo "$gpu"
    return
  done
}

# How far the sweep is, on stderr, where no table says it.
say_progress() {
  [[ -z $live ]] || return 0
  local i left=0 failures=0 finished=0 rest=''
  for ((i = 0; i < count; i++)); do
    case ${status[i]} in
      'done') finished=$((finished + 1)) ;;
      failed) failures=$((failures + 1)) ;;
      *) left=$((left + 1)) ;;
    esac
  done
  if ((trained > 0 && left > 0)); then
    rest=", about $(in_words $(((SECONDS - began) * left / trained))) left"
  fi
  say "$finished done, ${#running[@]} running, $failures failed, $((left - ${#running[@]})) waiting$rest"
}

start_point() {
  local name=${names[$1]} arguments
  settings_of "$1"
  arguments=(train "$point_base" "${point_settings[@]}" --run-dir "$out/$name" --resume)
  [[ $threads == config ]] || arguments+=(--threads "$threads")
  if ((${#gpus[@]} > 0)); then
    gpu_of[$1]=$(free_gpu)
    arguments+=(--device "cuda:${gpu_of[$1]}")
  fi
  rm -f "$out/logs/$name.failed"
  touch "$out/logs/$name.log"
  log_from[$1]=$(wc -c <"$out/logs/$name.log")
  echo "\$ $(typed "$program" "${arguments[@]}")" >>"$out/logs/$name.log"
  # In a session of its own, so that Ctrl-C in the terminal reaches this script alone, which passes on one SIGTERM.
  setsid "$program" "${arguments[@]}" </dev/null >>"$out/logs/$name.log" 2>&1 9>&- &
  running[$!]=$1
  ((stopping == 0)) || kill -TERM $! 2>/dev/null || true
  say "[$(($1 + 1))/$count] $name"
}

# The last line that the program wrote since it was started, an error if there is one: a run that another process still
# trains has that one's lines in its log too.
last_line() {
  local own
  own=$(tail -c "+$((log_from[$1] + 1))" "$out/logs/${names[$1]}.log" | tr '\r' '\n')
  { grep '^error: ' <<<"$own" || echo "$own"; } | grep -v '^ *$' | tail -n 1 | cut -c 1-300 || true
}

end_point() {
  local i=$1 code=$2 name=${names[$1]} place="[$(($1 + 1))/$count] ${names[$1]}"
  exit_codes[i]=$code
  if ((code == 0)) && [[ -f $out/$name/result.json ]]; then
    status[i]='done'
    made_from "$i" >"$out/logs/$name.made-from"
    say "$place: $(jq -r '"val_top1 \(.best.val_top1 // "-") at epoch \(.best.epoch // "-") of \(.epochs // "-")"' \
      "$out/$name/result.json" 2>/dev/null || true)"
  elif ((code == 130 || (code == 143 && stopping))); then
    status[i]=stopped
    messages[i]="stopped by a signal"
    say "$place: stopped"
  else
    status[i]=failed
    messages[i]="exit code $code: $(last_line "$i")"
    ((code != 0)) || messages[i]="ended without a result.json: $(last_line "$i")"
    ((code <= 128)) || messages[i]="ended by signal $((code - 128)) (SIG$(kill -l $((code - 128)) || true))"
    say "$place: failed, ${messages[i]}"
    # what was killed or found the disk full goes on next time; a wrong setting, bad data or a loss gone wrong would not
    if ((code >= 2 && code <= 5)); then
      { made_from "$i"; echo "$code ${messages[i]}"; } >"$out/logs/$name.failed.part"
      mv "$out/logs/$name.failed.part" "$out/logs/$name.failed"
    fi
  fi
  note_row "$i"
  write_csv
  trained=$((trained + 1))
  ((stopping)) || say_progress
}

terminate_running() {
  local pid
  for pid in "${!running[@]}"; do
    kill -TERM "$pid" 2>/dev/null || true
  done
}

# A terminal and a batch system may both send a signal: a second one within a second is the same one.
stop_all() {
  local now=${EPOCHREALTIME/[.,]/}
  ((now - last_signal > 1000000)) || return 0
  last_signal=$now
  terminate_running
  if ((stopping == 0)); then
    stopping=1
    say "stopping: ${#running[@]} running points save first (once more to end at once)"
  fi
}

# Takes note of points that have ended. A process that a signal killed while something else ran in the foreground is
# named by no later "wait -n", so each is asked for.
end_dead() {
  local pid code point
  for pid in "${!running[@]}"; do
    if ! kill -0 "$pid" 2>/dev/null; then
      code=0
      wait "$pid" 2>/dev/null || code=$?
      point=${running[$pid]}
      unset "running[$pid]"
      end_point "$point" "$code"
    fi
  done
}

# Waits for a running point to end, but not for long: on a terminal the table is drawn again.
reap() {
  local tick pause=5
  [[ -z $live ]] || pause=1
  draw_live
  sleep "$pause" >/dev/null 2>&1 9>&- &
  tick=$!
  wait -n "${!running[@]}" "$tick" 2>/dev/null || true
  kill "$tick" 2>/dev/null || true
  end_dead
}

to_train=()
for ((i = 0; i < count; i++)); do
  status[i]=waiting
  exit_codes[i]=null
  if [[ -f $out/${names[i]}/result.json && -f $out/logs/${names[i]}.made-from &&
    $(made_from "$i") == "$(<"$out/logs/${names[i]}.made-from")" ]]; then
    status[i]='done'
    exit_codes[i]=0
  elif [[ -z $retry_failed && -f $out/logs/${names[i]}.failed && $(wc -l <"$out/logs/${names[i]}.failed") -ge 2 &&
    $(made_from "$i") == "$(head -n 1 "$out/logs/${names[i]}.failed")" ]]; then
    status[i]=failed
    read -r 'exit_codes[i]' 'messages[i]' < <(sed -n 2p "$out/logs/${names[i]}.failed")
    messages[i]+=" (before; --retry-failed tries again)"
  else
    to_train+=("$i")
  fi
  note_row "$i"
done
# it times the program for a while
((${#to_train[@]} < 2)) || (exec 9>&- && estimate "${to_train[@]}")

trap '' PIPE
trap stop_all INT TERM HUP
trap terminate_running EXIT
for ((i = 0; i < count && stopping == 0; i++)); do
  if [[ ${status[i]} == 'done' ]]; then
    say "[$((i + 1))/$count] ${names[i]}: was done"
    continue
  fi
  [[ ${status[i]} != failed ]] || continue
  while ((${#running[@]} >= jobs)); do reap; done
  ((stopping)) || start_point "$i"
done
while ((${#running[@]} > 0)); do reap; done
trap '' INT TERM HUP
erase_live

# ---- the end

write_csv
done_count=0
failed=()
for ((i = 0; i < count; i++)); do
  case ${status[i]} in
    'done') done_count=$((done_count + 1)) ;;
    failed) failed+=("$i") ;;
    stopped) ((stopping)) || failed+=("$i") ;;
  esac
done
((done_count == 0)) || print_table || say "warning: the table could not be written to stdout"
say "$done_count of $count points done; $out/sweep.csv"
for i in "${failed[@]}"; do
  say "  ${names[i]}: ${messages[i]}"
  say "    log: $out/logs/${names[i]}.log"
done
if ((stopping)); then
  say "interrupted; go on with: $command_line"
  exit 130
fi
((${#failed[@]} == 0)) || exit 1
exit 0
}
