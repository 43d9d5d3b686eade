#!/usr/bin/env bash
# Installs what the build needs and is not there yet: Debian's own packages, nothing else.
#
#   scripts/setup.sh            to build, train and test
#   scripts/setup.sh --lint     also the style checkers that scripts/lint.sh runs
#   scripts/setup.sh --browser  also Chromium, in which the tests open reports and scripts/report_png.sh draws them
#   scripts/setup.sh --dev      all these, and clang-tidy and torchvision for writing the golden files again
#   scripts/setup.sh --libtorch auto|debian|pip|DIR
#                               which LibTorch to build with (scripts/libtorch.sh); remembered for later calls, first auto
#
# EFFNETV2_SKIP_SETUP=1 makes it trust what is there (other systems, another LibTorch in CMAKE_PREFIX_PATH).
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
log=$repo/build/logs/setup.log

packages=(
  build-essential cmake ninja-build git jq
  libopencv-dev libcli11-dev nlohmann-json3-dev libspdlog-dev libgtest-dev libgmock-dev
  libopenblas0-openmp libjs-chart.js
)
lint_packages=(clang-format shellcheck file groff-base)  # the last two for the tests of the packages
browser_packages=(chromium)
dev_packages=(clang-tidy libomp-dev python3-torchvision)

say() { echo "setup: $*" >&2; }

usage() {
  sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
}

libtorch=
while (($# > 0)); do
  case $1 in
    --libtorch)
      libtorch=${2:?--libtorch needs auto, debian, pip or a folder}
      shift
      ;;
    --lint) packages+=("${lint_packages[@]}") ;;
    --browser) packages+=("${browser_packages[@]}") ;;
    --dev) packages+=("${lint_packages[@]}" "${browser_packages[@]}" "${dev_packages[@]}") ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      say "unknown option $1 (there are --lint, --browser, --dev, --libtorch and --help)"
      exit 2
      ;;
  esac
  shift
done

if [[ -n ${EFFNETV2_SKIP_SETUP:-} ]]; then
  say "skipped, as EFFNETV2_SKIP_SETUP asks"
  exit 0
fi

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  say "this is not a Debian system. Install by hand: a C++20 compiler, CMake 3.25 or newer, Ninja, git, jq, LibTorch"
  say "1.13 or newer, OpenCV 4 (core, imgproc, imgcodecs), CLI11, nlohmann-json 3.9 or newer, spdlog, GoogleTest with"
  say "GoogleMock, OpenBLAS. Then set EFFNETV2_SKIP_SETUP=1, and CMAKE_PREFIX_PATH if LibTorch lies somewhere unusual."
  exit 6
fi

libtorch=$("$repo/scripts/libtorch.sh" choose "$libtorch")
[[ $libtorch != debian ]] || packages+=(libtorch-dev)
[[ $libtorch != pip ]] || packages+=(python3-venv)

is_installed() {
  [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# OpenBLAS is about 30 times faster here than Debian's reference BLAS, and the program runs with either.
check_blas() {
  local library target
  library=/usr/lib/$(gcc -print-multiarch)/libblas.so.3
  target=$(readlink -f "$library" || true)
  if [[ $target != *openblas* ]]; then
    say "warning: $library is ${target:-missing}, not OpenBLAS: training will be many times slower."
    say "  choose OpenBLAS with: update-alternatives --config libblas.so.3-$(gcc -print-multiarch)"
  fi
}

missing=()
for package in "${packages[@]}"; do
  is_installed "$package" || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  check_blas
  "$repo/scripts/libtorch.sh" prepare "$libtorch"
  say "all ${#packages[@]} packages are there"
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    say "not root, and there is no sudo. Run as root: apt-get install --no-install-recommends ${missing[*]}"
    exit 6
  fi
  as_root=(sudo)
fi

apt_get() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1
}

mkdir -p "$(dirname "$log")"
: >"$log"
say "installing ${missing[*]}"
if ! apt_get update || ! apt_get install --no-install-recommends "${missing[@]}"; then
  tail -n 20 "$log" >&2
  say "apt-get failed; the end of its output is above, all of it in $log"
  say "a package that does not exist here? Debian 12 and newer have them all in the section main"
  exit 6
fi
check_blas
"$repo/scripts/libtorch.sh" prepare "$libtorch"
say "installed ${#missing[@]} packages in $SECONDS s"
