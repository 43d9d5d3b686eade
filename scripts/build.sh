#!/usr/bin/env bash
# Configures and builds one preset, quietly: its output goes to build/logs/, and its end is shown if something fails.
#
#   scripts/build.sh [--preset NAME] [--werror] [TARGET ...]      release and everything unless told otherwise
#
# It takes the LibTorch that scripts/setup.sh chose, and configures from nothing when another one is chosen.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
preset=release
werror=
targets=()
while (($# > 0)); do
  case $1 in
    -h | --help)
      sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --preset)
      preset=${2:?--preset needs a name}
      shift
      ;;
    --werror) werror=-DEFFNETV2_WERROR=ON ;;
    -*)
      echo "build: unknown option $1 (there are --preset NAME and --werror)" >&2
      exit 2
      ;;
    *) targets+=("$1") ;;
  esac
  shift
done

folder=$repo/build/$preset
log=$repo/build/logs/build-$preset.log
libtorch=$repo/build/libtorch.cmake
mkdir -p "$(dirname "$log")"
cd "$repo"

say() { echo "build: $*" >&2; }

failed() {
  grep -nE '(error|Error)[ :]' "$log" | head -n 5 >&2 || true
  tail -n 25 "$log" >&2
  say "failed; the first errors and the end of the output are above, all of it in $log"
  exit 1
}

# A file that includes LibTorch needs about 1.5 GB to compile, so memory can allow fewer at once than there are cores.
jobs=$(nproc)
if memory=$(awk '/^MemAvailable:/ { print int($2 / 1572864) }' /proc/meminfo 2>/dev/null); then
  ((memory >= jobs)) || jobs=$((memory > 1 ? memory : 1))
fi

# On a terminal, ninja's "[12/80]" on one line; all of it in the log either way.
show_progress() {
  if [[ -t 2 ]]; then
    tee -a "$log" | sed -u -n 's/^\(\[[0-9]*\/[0-9]*\]\).*/\r\1/p' | tr -d '\n' >&2
    printf '\r\033[K' >&2
  else
    cat >>"$log"
  fi
}

: >"$log"
configure=()
if [[ -f $libtorch ]]; then
  configure+=(-C "$libtorch")
  # what CMake found of another LibTorch
  [[ ! $libtorch -nt $folder/CMakeCache.txt ]] || rm -f "$folder/CMakeCache.txt"
fi
if [[ ! -f $folder/CMakeCache.txt || -n $werror ]]; then
  cmake --preset "$preset" "${configure[@]}" ${werror:+"$werror"} >>"$log" 2>&1 || failed
fi

build=(cmake --build "$folder" --parallel "$jobs")
((${#targets[@]} == 0)) || build+=(--target "${targets[@]}")
[[ -x $folder/effnetv2 ]] || say "compiling with $jobs jobs; the first time takes some minutes (watch $log)"
"${build[@]}" 2>&1 | show_progress || failed

if grep -qE '^\[[0-9]+/[0-9]+\] (Building|Linking)' "$log"; then
  say "$folder built in $SECONDS s"
else
  say "$folder is up to date"
fi
