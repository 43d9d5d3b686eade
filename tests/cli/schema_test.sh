#!/usr/bin/env bash
# The JSON Schema beside a validator that others wrote: what it says of a config is what the program says.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
program=$1
need_python jsonschema

mapfile -t shipped < <(find configs -name '*.json' | LC_ALL=C sort)
expect_exit 0 "$python" tests/python/check_schema.py "$program" docs/config.schema.json "${shipped[@]}"
cat "$output"
