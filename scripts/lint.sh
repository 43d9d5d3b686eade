#!/usr/bin/env bash
# What a reviewer should not have to look for: formatting, shell mistakes, includes against the order of the rooms,
# paths of somebody's machine. A checker that is not installed is named and left out (scripts/setup.sh --lint).
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
say() { echo "lint: $*" >&2; }
failures=0
fail() {
  say "$*"
  failures=$((failures + 1))
}

if ! git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
  say "this is no git checkout: nothing is checked"
  exit 0
fi

# Tracked files and new ones, without what git ignores.
files() {
  git ls-files --cached --others --exclude-standard -- "$@" | while IFS= read -r file; do
    [[ ! -f $file ]] || echo "$file"
  done
}

mapfile -t sources < <(files '*.h' '*.cpp' '*.cu' '*.cuh')
mapfile -t scripts < <(files '*.sh' .ci/run)

# Other versions of clang-format lay out some lines differently: one is the judge.
check_format() {
  local wanted=14 version
  if ! command -v clang-format >/dev/null; then
    say "clang-format is not installed: formatting is not checked"
    return
  fi
  version=$(clang-format --version | sed -E 's/.*version ([0-9]+).*/\1/')
  if [[ $version != "$wanted" ]]; then
    say "clang-format is $version, the style is defined by $wanted (Debian 12): formatting is not checked"
    return
  fi
  local file
  for file in "${sources[@]}"; do
    clang-format --dry-run -Werror "$file" 2>/dev/null || fail "$file: run clang-format -i on it"
  done
}

check_scripts() {
  if ! command -v shellcheck >/dev/null; then
    say "shellcheck is not installed: scripts are not checked"
    return
  fi
  shellcheck "${scripts[@]}" || fail "shellcheck has remarks, above"
}

# A room may include itself and the rooms named here, which are all it knows (docs/ARCHITECTURE.md).
declare -A knows=(
  [core]=""
  [config]="core"
  [data]="core config"
  [ops]="core config"
  [model]="core config ops"
  [weights]="core config ops model"
  [train]="core config data ops model weights"
  [run]="core config data ops model weights train"
  [report]="core config"
  [cli]="core config data ops model weights train run report"
)

check_rooms() {
  local place room included
  while IFS=: read -r place line included; do
    room=$(sed -E 's#^(include/effnetv2|src)/([^/]+)/.*#\2#' <<<"$place")
    included=$(sed -E 's#.*"effnetv2/([^/"]+)/.*#\1#' <<<"$included")
    if [[ -z ${knows[$room]+known} ]]; then
      fail "$place: $room is not a room; name it in scripts/lint.sh and docs/ARCHITECTURE.md"
    elif [[ $included != "$room" && " ${knows[$room]} " != *" $included "* ]]; then
      fail "$place:$line: $room includes $included, but knows only: ${knows[$room]:-nothing}"
    fi
  done < <(files 'include/*.h' 'src/*.h' 'src/*.cpp' 'src/*.cu' | xargs -r grep -nHE '^ *# *include "effnetv2/[^/"]+/')
}

check_paths() {
  if files . | xargs -r -d '\n' grep -nIE '(^|[^A-Za-z0-9_.])/(home|root|work|Users)/[A-Za-z]' --; then
    fail "the lines above name a path of one machine"
  fi
}

# Weights come from a formula, so that the reference values can be read and stay small.
check_goldens() {
  local file
  while IFS= read -r file; do
    (($(stat -c %s "$file") <= 50000)) || fail "$file: is larger than 50 kB"
  done < <(files 'tests/golden/*')
}

check_format
check_scripts
check_goldens
check_rooms
check_paths
if ((failures > 0)); then
  say "failed"
  exit 1
fi
say "${#sources[@]} sources and ${#scripts[@]} scripts are clean"
