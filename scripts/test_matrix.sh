#!/usr/bin/env bash
# Runs README's test command on every LibTorch that is supported, each where nothing is installed, and writes a table.
#
#   scripts/test_matrix.sh [--root DIR] [-o docs/results/libtorch.md] [bookworm] [trixie] [sid] [pip]
#
# bookworm, trixie and sid are Debian 12, 13 and unstable (LibTorch 1.13, 2.6, 2.14), each in a fresh system that debootstrap
# makes below DIR (default: a temporary folder; 5 GB each) and chroot enters, so it needs root and both; EFFNETV2_MIRROR names
# another mirror than debootstrap's own. pip is PyPI's torch with CUDA, in a fresh clone on this system. All four unless some
# are named; the table keeps the rows of the others. What is committed is tested. A system is removed after its tests pass; --root
# keeps them, and goes on with what it finds. Logs lie beside the systems.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$repo/docs/results/libtorch.md
root=
names=()

say() { echo "test_matrix: [$((SECONDS / 60)) min] $*" >&2; }
stop() {
  say "$2"
  exit "$1"
}

while (($# > 0)); do
  case $1 in
    -h | --help)
      sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --root | -o)
      (($# > 1)) || stop 2 "$1 needs a value"
      [[ $1 == -o ]] && out=$2 || root=$2
      shift
      ;;
    bookworm | trixie | sid | pip) names+=("$1") ;;
    *) stop 2 "unknown word $1 (there are bookworm, trixie, sid, pip, --root DIR and -o FILE)" ;;
  esac
  shift
done
((${#names[@]} > 0)) || names=(bookworm trixie sid pip)
keep=$root
root=${root:-$(mktemp -d)}
mkdir -p "$root" "$(dirname "$out")"
root=$(realpath "$root")

if [[ ${names[*]} != pip ]]; then
  ((EUID == 0)) || stop 6 "a Debian in a folder needs root; 'pip' does not"
  command -v debootstrap >/dev/null || stop 6 "debootstrap is not installed"
fi

# Everything in one command, so that the table says what a user would wait for. It prints one line for the table.
cat >"$root/inside.sh" <<'INSIDE'
set -euo pipefail
cd "$1"
begin=$SECONDS
./scripts/setup.sh "${@:2}"
set_up=$((SECONDS - begin)) begin=$SECONDS
./scripts/build.sh --werror
build=$((SECONDS - begin)) begin=$SECONDS
./scripts/test.sh --werror
tests=$((SECONDS - begin))
version=$(build/release/effnetv2 --version | sed -n 's/^LibTorch //p')
cuda=$(build/release/effnetv2 --version | sed -n '/none/d;s/^CUDA /CUDA /p')
# shellcheck disable=SC1091
system=$(. /etc/os-release && echo "$PRETTY_NAME")
log=build/release/Testing/Temporary/LastTest.log
count() { grep -cE "$1" "$log" || true; }
minutes() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }
echo "ROW $system | $version${cuda:+, $cuda} | $(g++ -dumpfullversion) | $(cmake --version | sed -n '1s/.* //p') |" \
  "$(($(count '^\[       OK \]|^"cli\..* end time') - $(count '^SKIPPED: '))) | $(count '^SKIPPED: |^\[  SKIPPED \] .* ms\)$') |" \
  "$(minutes "$set_up") | $(minutes "$build") | $(minutes "$tests") |"
INSIDE

# in_system FOLDER COMMAND...: with mounts and processes that end with it.
in_system() {
  local system=$1
  shift
  # shellcheck disable=SC2016
  unshare --mount --pid --fork --kill-child bash -c '
    set -e
    mount -t proc proc "$0/proc"
    mount --rbind /dev "$0/dev"
    mount --make-rslave "$0/dev"
    exec chroot "$0" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"' "$system" "$@"
}

test_debian() {
  local system=$root/$1
  if [[ ! -e $system/made ]]; then
    rm -rf "$system"
    say "$1: installing"
    debootstrap --variant=minbase "$1" "$system" ${EFFNETV2_MIRROR:+"$EFFNETV2_MIRROR"}
    # unstable expires where a mirror is some days behind
    echo 'Acquire::Check-Valid-Until "false";' >"$system/etc/apt/apt.conf.d/old-mirror"
    touch "$system/made"
  fi
  cp /etc/resolv.conf "$system/etc/resolv.conf"
  rm -rf "$system/effnetv2"
  git clone -q "$repo" "$system/effnetv2"
  cp "$root/inside.sh" "$system/inside.sh"
  say "$1: set-up, build, tests"
  in_system "$system" bash /inside.sh /effnetv2
}

test_pip() {
  rm -rf "$root/pip"
  git clone -q "$repo" "$root/pip"
  say "pip: set-up, build, tests"
  bash "$root/inside.sh" "$root/pip" --libtorch pip
}

revision=$(git -C "$repo" rev-parse --short HEAD)
day=$(date +'%-d %B %Y')
failed=()
declare -A rows=()
for name in "${names[@]}"; do
  log=$root/$name.log
  test=test_debian
  [[ $name != pip ]] || test=test_pip
  # not in a condition, where set -e means nothing
  set +e
  (
    set -e
    "$test" "$name"
  ) >"$log" 2>&1
  code=$?
  set -e
  if ((code == 0)); then
    rows[$name]="| $name | $(sed -n 's/^ROW //p' "$log") $revision | $day |"
    say "${rows[$name]}"
    [[ -n $keep ]] || rm -rf --one-file-system "${root:?}/$name"
  else
    tail -n 40 "$log" >&2
    failed+=("$name")
    rows[$name]="| $name | failed | | | | | | | | | $revision | $day |"
    say "$name: failed, all of its output is in $log"
  fi
done

for name in bookworm trixie sid pip; do
  [[ -n ${rows[$name]:-} ]] || rows[$name]=$(grep "^| $name |" "$out" 2>/dev/null) || rows[$name]="| $name | not tested | | | | | | | | | | |"
done
{
  echo "# On every LibTorch"
  echo
  echo "\`scripts/test_matrix.sh\`, $(nproc) cores of $(lscpu | sed -n 's/^Model name: *//p' | head -n 1). Each from nothing: the packages"
  echo "installed, everything built with warnings as errors, every test run. Minutes are of the clock; those of setting up depend on the"
  echo "network. Tests left out name what they lack: a card, a browser, Python's packages."
  echo
  echo "| name | system | LibTorch | GCC | CMake | tests passed | left out | set-up | build | tests | revision | date |"
  echo "|---|---|---|---|---|---|---|---|---|---|---|---|"
  for name in bookworm trixie sid pip; do
    echo "${rows[$name]}"
  done
} >"$out"
if ((${#failed[@]} > 0)); then
  stop 1 "failed: ${failed[*]} (logs and systems lie in $root)"
fi
[[ -n $keep ]] || rm -rf --one-file-system "$root"
say "all pass; the table is $out"
