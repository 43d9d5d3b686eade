#!/usr/bin/env bash
# Everything that docs/reliability.md counts, at full length, as the rows of its tables.
#
#   tests/faults/all.sh [BUILD]     default build/release
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(realpath "${1:-$here/../../build/release}")
shims=(--shim "$build/libdisk_shim.so")
export PYTHONDONTWRITEBYTECODE=1

python3 "$here/kills.py" "$build/effnetv2" --kills 600
python3 "$here/power_loss.py" "$build/effnetv2" "${shims[@]}"
python3 "$here/resources.py" "$build/effnetv2" "${shims[@]}" --clock "$build/libclock_shim.so"
python3 "$here/concurrency.py" "$build/effnetv2" --rounds 50
python3 "$here/load.py" "$build/effnetv2"
