#!/usr/bin/env bash
# Installs what the build needs and is not there yet: Debian's own packages. Only --python, --nvcc and --libtorch pip fetch from elsewhere.
#
#   scripts/setup.sh            to build, train and test
#   scripts/setup.sh --lint     also the style checkers that scripts/lint.sh runs
#   scripts/setup.sh --browser  also Chromium, in which the tests open reports and scripts/report_png.sh draws them
#   scripts/setup.sh --python   also build/python, an environment for the tests that ask Python's packages and for
#                               examples/: Debian's torch, torchvision and pandas, and a few packages from PyPI
#   scripts/setup.sh --nvcc     also CUDA's compiler, from PyPI into build/nvcc where none is installed, for the test that compiles
#                               the kernels
#   scripts/setup.sh --dev      all these, and clang-tidy for --preset tidy
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
python_packages=(python3-venv python3-torchvision python3-pandas)
dev_packages=(clang-tidy libomp-dev)
with_python=
with_nvcc=

say() { echo "setup: $*" >&2; }

usage() {
  sed -n '2,15s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
}

libtorch=
while (($# > 0)); do
  case $1 in
    --libtorch)
      libtorch=${2:-}
      if [[ -z $libtorch ]]; then
        say "--libtorch needs auto, debian, pip or a folder"
        exit 2
      fi
      shift
      ;;
    --lint) packages+=("${lint_packages[@]}") ;;
    --browser) packages+=("${browser_packages[@]}") ;;
    --python) with_python=yes ;;
    --nvcc) with_nvcc=yes ;;
    --dev)
      packages+=("${lint_packages[@]}" "${browser_packages[@]}" "${dev_packages[@]}")
      with_python=yes
      with_nvcc=yes
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      say "unknown option $1 (there are --lint, --browser, --python, --nvcc, --dev, --libtorch and --help)"
      exit 2
      ;;
  esac
  shift
done
[[ -z $with_python ]] || packages+=("${python_packages[@]}")
[[ -z $with_nvcc ]] || packages+=(python3-venv)

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

# build/python sees Debian's packages and holds what Debian 12 has not: a venv of Debian's own Python, whatever comes
# first in PATH. NumPy stays the one that Debian's torch was built with.
install_python() {
  [[ -n $with_python ]] || return 0
  local folder=$repo/build/python python=/usr/bin/python3 wanted
  wanted="tensorboard>=2.11 jsonschema>=4.18 safetensors>=0.4 numpy==$("$python" -c 'import numpy; print(numpy.__version__)')"
  local find='import importlib.util as u, sys; sys.exit(None in map(u.find_spec, sys.argv[1:]))'
  if [[ $(cat "$folder/requirements.txt" 2>/dev/null) == "$wanted" ]] &&
    "$folder/bin/python" -c "$find" torch torchvision pandas tensorboard jsonschema safetensors 2>/dev/null; then
    say "build/python is there"
    return
  fi
  say "making build/python: packages from PyPI"
  mkdir -p "$(dirname "$log")"
  local requirements
  read -ra requirements <<<"$wanted"
  if ! "$python" -m venv --system-site-packages "$folder" >>"$log" 2>&1 ||
    ! "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "${requirements[@]}" >>"$log" 2>&1 ||
    ! "$folder/bin/python" -W ignore -c 'import torchvision, pandas, tensorboard, jsonschema, safetensors.torch' >>"$log" 2>&1; then
    tail -n 3 "$log" >&2
    say "build/python was not made: is there no network, or no way to PyPI? The end of the output is above, all in $log"
    say "only tests and examples that need Python are affected"
    exit 6
  fi
  echo "$wanted" >"$folder/requirements.txt"
}

# CUDA's compiler alone: no card, no LibTorch with CUDA.
install_nvcc() {
  [[ -n $with_nvcc ]] || return 0
  local folder=$repo/build/nvcc version=13.0 place part wheels=()
  for place in "$(command -v nvcc || true)" /usr/local/cuda*/bin/nvcc "$folder"/lib/python3*/site-packages/nvidia/cu*/bin/nvcc; do
    if [[ -x $place ]]; then
      say "CUDA's compiler is there: $place"
      return
    fi
  done
  say "installing CUDA's compiler $version from PyPI into build/nvcc"
  mkdir -p "$(dirname "$log")"
  for part in cuda-nvcc cuda-crt nvvm cuda-cccl cuda-runtime; do
    wheels+=("nvidia-$part==$version.*")
  done
  if ! /usr/bin/python3 -m venv "$folder" >>"$log" 2>&1 ||
    ! "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "${wheels[@]}" >>"$log" 2>&1; then
    tail -n 3 "$log" >&2
    say "CUDA's compiler was not installed: is there no network, or no way to PyPI? Only the test that compiles CUDA's kernels is affected"
    return 6
  fi
}

install_extras() {
  local code=0
  (install_python) || code=$?
  install_nvcc || code=$?
  return "$code"
}

missing=()
for package in "${packages[@]}"; do
  is_installed "$package" || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  check_blas
  "$repo/scripts/libtorch.sh" prepare "$libtorch"
  say "all ${#packages[@]} packages are there"
  install_extras
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
install_extras
