#!/usr/bin/env bash
# Installs what is missing, builds everything and runs every test.
#
#   scripts/test.sh [--preset NAME] [--werror] [options of ctest]
#   scripts/test.sh --preset asan
#   scripts/test.sh -R Schedule
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
preset=release
build_options=()
ctest_options=()
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
    --werror) build_options+=("$1") ;;
    *) ctest_options+=("$1") ;;
  esac
  shift
done

"$repo/scripts/setup.sh"
"$repo/scripts/lint.sh"
"$repo/scripts/build.sh" --preset "$preset" "${build_options[@]}"
cd "$repo"
code=0
ctest --preset "$preset" --parallel "$(nproc)" "${ctest_options[@]}" || code=$?
# ctest does not say what was skipped, and why
awk '/^SKIPPED: /
  reason_follows { reason = $0; reason_follows = 0 }
  /: Skipped$/ { reason_follows = 1 }
  /^\[  SKIPPED \] .* ms\)$/ { sub(/\..*/, "", $4); ++count[$4 ": " reason] }
  END { for (what in count) print "SKIPPED: " count[what] " of " what }' "build/$preset/Testing/Temporary/LastTest.log" >&2 || true
exit "$code"
