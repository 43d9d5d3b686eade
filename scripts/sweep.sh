#!/usr/bin/env bash
# Trains one config over a grid of settings and seeds, each point into a run directory of its own.
# Started again with the same command it skips what is done and continues what was cut off.
#
#   scripts/sweep.sh BASE.json -o DIR [--grid KEY=V1,V2,...]... [--seeds 1,2,3] [options]
#
#   -o DIR             where the runs, logs/ and sweep.csv go
#   --grid KEY=V1,V2   settings to vary; several --grid are combined. Lists and objects are JSON: --grid 'a.b=[1,2],[3]'
#   --seeds 1,2,3      every point once per seed
#   --set KEY=VALUE    a setting that all points share
#   --jobs N           points trained at once (default 1)
#   --threads N        threads of each (default: the config's, or the cores divided by --jobs; kept when the sweep is
#                      started again)
#   --device NAME      where they train, as for "effnetv2 train"
#   --dry-run          list the points and stop
#
# EFFNETV2 names the program, by default build/release/effnetv2.
# Exit code: 0 all done, 1 some points failed, 2 usage, 6 a program or folder is missing, 130 interrupted after saving.
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

say() { echo "sweep: $*" >&2 || true; }
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

is_count() { [[ $1 =~ ^[1-9][0-9]{0,5}$ ]]; }

in_grid=''
while (($# > 0)); do
  option=$1
  shift
  case $option in
    -h | --help)
      sed -n '2,/^set -e/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --dry-run) dry_run=yes ;;
    -o | --output | --grid | --seeds | --set | --jobs | --threads | --device)
      (($# > 0)) || usage_error "$option needs a value"
      in_grid=''
      case $option in
        -o | --output) out=$1 ;;
        --grid)
          add_grid "$1"
          in_grid=yes
          ;;
        --seeds)
          [[ $1 =~ ^[0-9]+(,[0-9]+)*$ ]] || usage_error "--seeds '$1': expected numbers, such as 1,2,3"
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
          ;;
        --threads)
          is_count "$1" || usage_error "--threads '$1': expected a number from 1 up"
          threads=$1
          ;;
        --device) shared+=(--device "$1") ;;
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
((${#keys[@]} + ${#seeds[@]} > 0)) || usage_error "nothing to vary: give --grid or --seeds"
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
  local depth=$1 name=$2 cell=$3 values texts i seed
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
    add_points $((depth + 1)) "${name:+${name}_}${shorts[depth]}=${texts[i]}" "${cell:+$cell$'\n'}${values[i]}"
  done
}
add_points 0 "" ""
count=${#names[@]}

# The settings of point i as arguments, into the array `point_settings`.
settings_of() {
  local values k
  point_settings=("${shared[@]}")
  if ((${#keys[@]} > 0)); then
    mapfile -t values <<<"${cells[$1]}"
    for k in "${!keys[@]}"; do
      point_settings+=(--set "${keys[k]}=${values[k]}")
    done
  fi
  [[ -z ${point_seeds[$1]} ]] || point_settings+=(--set "seed=${point_seeds[$1]}")
}

if [[ -n $dry_run ]]; then
  for ((i = 0; i < count; i++)); do
    settings_of "$i"
    state=new
    [[ ! -d $out/${names[i]} ]] || state=begun
    [[ ! -f $out/${names[i]}/result.json ]] || state='done'
    printf '%-5s %s  %s\n' "$state" "$out/${names[i]}" "$(typed "${point_settings[@]}")"
  done
  exit 0
fi

# ---- training

# The resolved base config tells whether a finished run is of this sweep or of an earlier, different one.
resolved=$("$program" config show "$base" "${shared[@]}") || {
  say "the base config with what all points share is not valid; nothing was started"
  exit 2
}
config_threads=$(jq -r '.threads' <<<"$resolved")
resolved=$(cksum <<<"$resolved")
mkdir -p "$out/logs" || {
  say "$out cannot be made: choose another -o"
  exit 6
}

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
if [[ $threads != config ]]; then
  echo "$threads" >"$out/logs/threads"
fi

status=() exit_codes=() messages=() rows=()
declare -A running=()  # process id to point
stopping=0
last_signal=0

# What a point's result was made from, to compare with what it would be made from now.
made_from() {
  settings_of "$1"
  echo "$resolved ${point_settings[*]}"
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

start_point() {
  local name=${names[$1]} arguments
  settings_of "$1"
  arguments=(train "$base" "${point_settings[@]}" --run-dir "$out/$name" --resume)
  [[ $threads == config ]] || arguments+=(--threads "$threads")
  echo "\$ $(typed "$program" "${arguments[@]}")" >>"$out/logs/$name.log"
  # In a session of its own, so that Ctrl-C in the terminal reaches this script alone, which passes on one SIGTERM.
  setsid "$program" "${arguments[@]}" </dev/null >>"$out/logs/$name.log" 2>&1 &
  running[$!]=$1
  ((stopping == 0)) || kill -TERM $! 2>/dev/null || true
  say "[$(($1 + 1))/$count] $name"
}

# The last line that the program wrote.
last_line() {
  tr '\r' '\n' <"$out/logs/${names[$1]}.log" | grep -v '^ *$' | tail -n 1 | cut -c 1-300 || true
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
  fi
  note_row "$i"
  write_csv
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

# Waits for running points to end.
reap() {
  local pid='' code=0
  wait -n -p pid "${!running[@]}" || code=$?
  if [[ -n ${pid:-} ]]; then
    local point=${running[$pid]}
    unset "running[$pid]"
    end_point "$point" "$code"
    return
  fi
  # No process named: a signal interrupted the wait, or one ended before it.
  for pid in "${!running[@]}"; do
    if ! kill -0 "$pid" 2>/dev/null; then
      code=0
      wait "$pid" || code=$?
      local point=${running[$pid]}
      unset "running[$pid]"
      end_point "$point" "$code"
    fi
  done
}

for ((i = 0; i < count; i++)); do
  status[i]=waiting
  exit_codes[i]=null
  if [[ -f $out/${names[i]}/result.json && -f $out/logs/${names[i]}.made-from &&
    $(made_from "$i") == "$(<"$out/logs/${names[i]}.made-from")" ]]; then
    status[i]='done'
    exit_codes[i]=0
  fi
  note_row "$i"
done

trap '' PIPE
trap stop_all INT TERM HUP
trap terminate_running EXIT
for ((i = 0; i < count && stopping == 0; i++)); do
  if [[ ${status[i]} == 'done' ]]; then
    say "[$((i + 1))/$count] ${names[i]}: was done"
    continue
  fi
  while ((${#running[@]} >= jobs)); do reap; done
  ((stopping)) || start_point "$i"
done
while ((${#running[@]} > 0)); do reap; done
trap '' INT TERM HUP

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
