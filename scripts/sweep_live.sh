# shellcheck shell=bash disable=SC2154  # the sweep's own variables
# A sweep's table on a terminal, drawn anew over itself once a second; sourced by sweep.sh. Elsewhere it is silent.

live=''
if [[ -t 2 && ${TERM:-dumb} != dumb ]]; then live=yes; fi
live_lines=0  # lines of the table that stand above the cursor

erase_live() {
  ((live_lines == 0)) || printf '\e[%dA\r\e[J' "$live_lines" >&2 || true
  live_lines=0
}

# 95 -> "95 seconds"
in_words() {
  awk -v s="$1" 'BEGIN { if (s < 120) printf "%d seconds", s; else if (s < 5400) printf "%.0f minutes", s / 60; else printf "%.1f hours", s / 3600 }'
}

# What a run directory says of itself: "epoch epochs seconds-an-epoch val_top1 best", or nothing before its first epoch.
course_of() {
  [[ -s $1/metrics.jsonl ]] || return 0
  jq -rs --argjson epochs "$(jq '.train.epochs // 0' "$1/config.json" 2>/dev/null || echo 0)" \
    'last as $row | [$row.epoch, $epochs, $row.epoch_seconds, $row.val_top1 // "-", ([.[].val_top1 // empty] | max // "-")] | join(" ")' \
    "$1/metrics.jsonl" 2>/dev/null || true
}

draw_live() {
  [[ -n $live ]] || return 0
  local size rows columns i pid epoch epochs seconds top1 best line left_here left=0 longest=0 known=0 whole=0 most width
  local -A tally=([done]=0 [failed]=0 [waiting]=0)
  local -a lines=()
  size=$(stty size <&2 2>/dev/null) || true
  read -r rows columns <<<"$size"
  [[ ${columns:-} =~ ^[1-9][0-9]*$ ]] || columns=80
  [[ ${rows:-} =~ ^[1-9][0-9]*$ ]] || rows=24
  for pid in $(printf '%s\n' "${!running[@]}" | sort -n); do
    i=${running[$pid]}
    line=$(printf '%-8s %s' running "${names[i]}")
    read -r epoch epochs seconds top1 best < <(course_of "$out/${names[i]}") || true
    if [[ ${epoch:-} =~ ^[0-9]+$ && ${epochs:-} =~ ^[1-9][0-9]*$ ]]; then
      left_here=$(awk -v n="$((epochs - epoch))" -v s="$seconds" 'BEGIN { printf "%d", n * s }')
      whole=$((whole + $(awk -v n="$epochs" -v s="$seconds" 'BEGIN { printf "%d", n * s }')))
      left=$((left + left_here))
      longest=$((left_here > longest ? left_here : longest))
      known=$((known + 1))
      line+="  epoch $epoch/$epochs  val top-1 ${top1:0:6}, best ${best:0:6}  $(in_words "$left_here")"
    fi
    lines+=("$line")
  done
  for ((i = 0; i < count; i++)); do
    case ${status[i]} in
      'done' | failed) tally[${status[i]}]=$((tally[${status[i]}] + 1)) ;;
      *) tally[waiting]=$((tally[waiting] + 1)) ;;
    esac
    [[ ${status[i]} != failed ]] || lines+=("$(printf '%-8s %s  %s' failed "${names[i]}" "${messages[i]}")")
  done
  tally[waiting]=$((tally[waiting] - ${#running[@]}))
  line="${tally[done]} done, ${#running[@]} running, ${tally[failed]} failed, ${tally[waiting]} waiting"
  # a point that waits takes as long as those under way do, or else as those that ended did
  if ((known > 0)); then
    left=$(((left + tally[waiting] * whole / known) / ${#running[@]}))
    line+=", at most $(in_words $((left > longest ? left : longest))) left"
  elif ((trained > 0)); then
    line+=", about $(in_words $(((SECONDS - began) * (tally[waiting] + ${#running[@]}) / trained))) left"
  fi
  erase_live
  lines=("$line" "${lines[@]}")
  # of many failures the end tells; a table taller than the terminal could not be drawn over
  most=$((rows > 18 ? 16 : rows > 4 ? rows - 2 : 2))
  ((${#lines[@]} <= most)) || lines=("${lines[@]:0:most-1}" "and $((${#lines[@]} - most + 1)) more")
  for line in "${lines[@]}"; do
    line=${line//[[:cntrl:]]/ }
    # other letters may be two cells wide
    [[ $line != *[![:ascii:]]* ]] && width=$((columns - 1)) || width=$(((columns - 1) / 2))
    printf '%s\n' "${line:0:width}" >&2 || true
  done
  live_lines=${#lines[@]}
}
