# For the get_*.sh scripts: source it after setting `me`, the name that messages begin with.
# shellcheck shell=bash

say() { echo "${me:?}: $*" >&2; }

# fail CODE LINE...
fail() {
  local code=$1 line
  shift
  for line in "$@"; do say "$line"; done
  exit "$code"
}

# download URL FILE: continues FILE if some of it is there.
download() {
  if command -v curl >/dev/null; then
    curl --fail --location --retry 3 --continue-at - --output "$2" "$1"
  elif command -v wget >/dev/null; then
    wget --tries=3 --continue --output-document="$2" "$1"
  else
    say "neither curl nor wget is installed"
    return 1
  fi
}
