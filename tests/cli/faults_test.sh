#!/usr/bin/env bash
# A short pass of tests/faults: kills, power cuts, disk faults, lack of everything, several processes at once. The long ones: docs/reliability.md.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
program=$1
faults=$repo/tests/faults
shims=$(dirname "$program")

command -v python3 >/dev/null || skip "there is no python3"
! ldd "$program" | grep -q 'lib[atu]*san' || skip "a sanitizer and what is preloaded here do not go together"

export PYTHONDONTWRITEBYTECODE=1 TMPDIR=$temp
for run in \
  "kills.py --kills 30" \
  "power_loss.py --shim $shims/libdisk_shim.so --sample 20" \
  "resources.py --shim $shims/libdisk_shim.so --clock $shims/libclock_shim.so --sample 10 --few" \
  "concurrency.py --rounds 3"; do
  read -ra words <<<"$run"
  expect_exit 0 python3 "$faults/${words[0]}" "$program" "${words[@]:1}"
  grep '^|' "$output"
done
