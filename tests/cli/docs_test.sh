#!/usr/bin/env bash
# effnetv2 docs: the manual page, docs/cli.md and bash completion know all that --help knows.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
program=$1

# docs/cli.md is current
expect_exit 0 "$program" docs markdown
expect_same "$output" docs/cli.md

# the manual page renders without a remark
expect_exit 0 "$program" docs man
cp "$output" "$temp/effnetv2.1"
if command -v groff >/dev/null; then
  expect_exit 0 groff -man -Tutf8 -ww -rLL=200n -P-cbou "$temp/effnetv2.1"
  [[ ! -s $errors ]] || fail "groff has remarks"
  cp "$output" "$temp/page.txt"
else
  echo "docs: groff is not installed (scripts/setup.sh --lint): THE MANUAL PAGE IS NOT RENDERED" >&2
  sed -e 's/\\f[BIR]//g' -e 's/\\-/-/g' "$temp/effnetv2.1" >"$temp/page.txt"
fi
for title in NAME SYNOPSIS DESCRIPTION OPTIONS COMMANDS "EXIT STATUS" FILES ENVIRONMENT EXAMPLES; do
  grep -qE "^(\.SH )?$title\$" "$temp/page.txt" || fail "the manual page has no section $title"
done

# Names under a heading of a help text, such as Commands.
listed() { sed -n "/^$1:/,/^\$/s/^  \([^ ]*\).*/\1/p" "$output"; }

# compare VERB...: every option and argument that its help names, and every verb below it, is in both documents
commands=0
compare() {
  local option verb below
  expect_exit 0 "$program" "$@" --help
  mapfile -t options < <(sed -n '/^Options:/,/^$/p' "$output" | grep -oE '^ +(-., )?--[^ ]+' | tr ',' '\n' | tr -d ' ')
  ((${#options[@]} >= 2)) || fail "the help of '$*' names no options"
  mapfile -t below < <(listed Commands)
  if ((${#below[@]} == 0)); then
    commands=$((commands + 1))
    expect_contains docs/cli.md "## $*"
    expect_contains "$temp/page.txt" "effnetv2 $* [OPTIONS]"
    for option in "${options[@]}" $(listed Arguments); do
      for document in docs/cli.md "$temp/page.txt"; do
        expect_contains "$document" "$option"
      done
    done
  fi
  for verb in "${below[@]}"; do
    compare "$@" "$verb"
  done
}
compare
((commands >= 15)) || fail "only $commands commands were compared"
# each command has its own options beside it, not only somewhere
sed -n '/^## eval$/,/^## /p' docs/cli.md >"$temp/eval.md"
# shellcheck disable=SC2016
for text in '`--split TEXT` | default val, or all with other images (val, test, train or all)' 'needs --weights' '`--set KEY=VALUE`' \
  'effnetv2 eval runs/imagenette-32-1'; do
  expect_contains "$temp/eval.md" "$text"
done

# completion: what bash would offer at the end of a line, sorted
expect_exit 0 "$program" docs completion
cp "$output" "$temp/completion.bash"
! command -v shellcheck >/dev/null || expect_exit 0 shellcheck "$temp/completion.bash"
# shellcheck disable=SC1091
source "$temp/completion.bash"
expect_equal "$(complete -p effnetv2)" "complete -o bashdefault -F _effnetv2 effnetv2"

completions() {
  local spaced=${1//=/ = }
  COMP_LINE=$1
  COMP_POINT=${#1}
  read -ra COMP_WORDS <<<"${spaced//:/ : }"  # as bash breaks it
  [[ $1 != *' ' ]] || COMP_WORDS+=('')
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _effnetv2 effnetv2 "${1##*[ =:]}" ''
  printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort | paste -sd ' '
}
offers() {
  local line=$1
  shift
  expect_equal "$(completions "$line")" "$*" "$line"
}

mkdir -p "$temp/here/runs/a-1" "$temp/here/runs/b-1" "$temp/here/photos/cat" "$temp/here/sweeps/x/a-seed1"
touch "$temp/here/"{my.json,other.json,notes.txt,w.pth} "$temp/here/"{runs/a-1,runs/b-1,sweeps/x/a-seed1}/config.json
keys=$("$program" config keys | cut -d ' ' -f 1 | grep -vF '[')
cd "$temp/here"

offers 'effnetv2 ' bench config convert data docs eval predict report resume summary train
offers 'effnetv2 re' report resume
offers 'effnetv2 --ve' --version
offers 'effnetv2 data ' from-idx pack stats synth verify
offers 'effnetv2 config s' schema show
offers 'effnetv2 train --r' --resume --run-dir
offers 'effnetv2 train -' --device --dry-run --help --overwrite --quiet --resume --run-dir --set --threads --verbose -h -q -v
offers 'effnetv2 train ' my.json other.json photos runs sweeps
offers 'effnetv2 train --dry-run my' my.json
offers 'effnetv2 train my.json ' ''
offers 'effnetv2 bench my.json --mode ' data infer train
offers 'effnetv2 bench my.json --mode=i' infer
offers 'effnetv2 eval --checkpoint l' last
offers 'effnetv2 eval --device cp' cpu
offers 'effnetv2 eval --threads ' ''
offers 'effnetv2 resume ' runs sweeps
offers 'effnetv2 resume runs/' runs/a-1 runs/b-1
offers 'effnetv2 resume runs/a-1 ' ''
offers 'effnetv2 report runs/a-1 runs/b' runs/b-1
offers 'effnetv2 report runs/a-1 -o n' notes.txt
offers 'effnetv2 eval --weights w' w.pth
offers 'effnetv2 data verify p' photos
offers 'effnetv2 train my.json --set train.ep' train.epochs=
offers 'effnetv2 train my.json --set=model.arch=efficientnet_v2_' efficientnet_v2_l efficientnet_v2_m efficientnet_v2_s
offers 'effnetv2 train my.json --set train.optimizer.type=' adam adamw rmsprop sgd
offers 'effnetv2 train my.json --set deterministic=t' true
offers 'effnetv2 train my.json --set data.root=ph' photos
offers 'effnetv2 train my.json --set seed=1 train.ep' train.epochs=
offers 'effnetv2 train --set seed=1 my' my.json
offers 'effnetv2 frobnicate ' bench config convert data docs eval predict report resume summary train
expect_equal "$(completions 'effnetv2 train my.json --set ')" "$(LC_ALL=C sort <<<"${keys//$'\n'/=$'\n'}=" | paste -sd ' ')"
# the cursor before the end of the line: what follows it does not count
COMP_LINE='effnetv2 tra my.json' COMP_POINT=12 COMP_CWORD=1 COMP_WORDS=(effnetv2 tra my.json)
_effnetv2 effnetv2 tra effnetv2
expect_equal "${COMPREPLY[*]}" train

echo "docs: ok ($commands commands)"
