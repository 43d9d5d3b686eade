# For the tests in this folder: source it, then check. The first check that fails ends the test and shows the last output.
# shellcheck shell=bash
set -euo pipefail

# shellcheck disable=SC2034
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

last_command=
output=$temp/output
errors=$temp/errors

fail() {
  echo "FAILED: $*" >&2
  if [[ -n $last_command ]]; then
    echo "--- the last command: $last_command" >&2
    tail -n 40 "$output" | sed 's/^/out: /' >&2
    tail -n 40 "$errors" | sed 's/^/err: /' >&2
  fi
  exit 1
}

# skip REASON: the test cannot run here. ctest counts it as skipped; scripts/test.sh repeats the reason at the end.
skip() {
  echo "SKIPPED: $(basename "$0"): $*" >&2
  exit 77
}

# need_python MODULE...: sets $python to one that can import them, or skips. EFFNETV2_PYTHON names another than
# build/python, which scripts/setup.sh --python makes.
need_python() {
  python=${EFFNETV2_PYTHON:-$repo/build/python/bin/python}
  [[ -x $python ]] || skip "there is no ${python#"$repo/"}; scripts/setup.sh --python makes build/python"
  local module
  for module in "$@"; do
    "$python" -W ignore -c "import $module" >/dev/null 2>&1 ||
      skip "${python#"$repo/"} cannot import $module; scripts/setup.sh --python installs it"
  done
}

# need_card PROGRAM: skips where no NVIDIA card answers or PROGRAM cannot use one.
need_card() {
  [[ -n $(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null) ]] || skip "no NVIDIA card answers here"
  local cuda
  cuda=$("$1" --version | sed -n 's/^CUDA //p')
  [[ $cuda == [0-9]* ]] || skip "this program was built without CUDA"
}

# expect_exit CODE COMMAND...: what it wrote is then in the files $output and $errors.
expect_exit() {
  local wanted=$1 code=0
  shift
  last_command=$*
  "$@" >"$output" 2>"$errors" </dev/null || code=$?
  ((code == wanted)) || fail "exit code $code, expected $wanted"
}

# expect_contains FILE TEXT: some line of FILE holds TEXT.
expect_contains() {
  grep -qF -e "$2" "$1" || fail "$(basename "$1") does not contain: $2"
}

expect_lacks() {
  ! grep -qF -e "$2" "$1" || fail "$(basename "$1") contains: $2"
}

# expect_equal ONE OTHER [WHAT]
expect_equal() {
  [[ $1 == "$2" ]] || fail "${3:+$3: }'$1' and '$2' differ"
}

# expect_same FILE OTHER: byte for byte
expect_same() {
  cmp "$1" "$2" >&2 || fail "$1 and $2 differ"
}

expect_file() {
  [[ -f $1 ]] || fail "there is no file $1"
}

expect_no_file() {
  [[ ! -e $1 ]] || fail "there is a file $1"
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || fail "this did not come true in time: $*"
    sleep 0.05
  done
}

# stand_in PATH: writes a program from stdin, which stands in for another or for ours.
stand_in() {
  mkdir -p "$(dirname "$1")"
  {
    echo '#!/usr/bin/env bash'
    cat
  } >"$1"
  chmod +x "$1"
}
# A curl that sends what is missing of the file $SERVED, $STOP_AFTER bytes at most, notes its arguments in $CALLS and exits
# with $CURL_CODE. The first argument is the folder it goes to.
stand_in_curl() {
  stand_in "$1/curl" <<'SCRIPT'
echo "curl $*" >>"${CALLS:-/dev/null}"
while (($# > 1)); do
  [[ $1 != --output ]] || file=$2
  shift
done
have=$(stat -c %s "$file" 2>/dev/null || echo 0)
tail -c "+$((have + 1))" "$SERVED" | head -c "${STOP_AFTER:-1000000}" >>"$file"
exit "${CURL_CODE:-0}"
SCRIPT
}
