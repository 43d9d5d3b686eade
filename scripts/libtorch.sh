#!/usr/bin/env bash
# Which LibTorch the build takes. scripts/setup.sh calls it; scripts/build.sh reads what it leaves in build/libtorch.cmake.
#
#   scripts/libtorch.sh choose auto|debian|pip|DIR    prints debian, pip or a folder, and says why on stderr; with an empty
#                                                     word what was chosen before, or auto
#   scripts/libtorch.sh prepare debian|pip|DIR        makes it ready and writes build/libtorch.cmake
#
# auto takes what Torch_DIR names, else PyPI's wheel with CUDA where an NVIDIA driver answers, else Debian's package. pip is
# torch 2.11.0 (EFFNETV2_TORCH names another version) in the virtual environment .venv, with CUDA's compiler from PyPI too
# if none of its version is installed. DIR is an unpacked LibTorch or the folder of a TorchConfig.cmake.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
settings=$repo/build/libtorch.cmake
log=$repo/build/logs/libtorch.log
venv=$repo/.venv
torch_version=${EFFNETV2_TORCH:-2.11.0}

say() { echo "setup: LibTorch: $*" >&2; }
stop() {
  say "$1"
  exit 6
}

# The folder of DIR's TorchConfig.cmake.
config_folder() {
  local place
  for place in "$1" "$1/share/cmake/Torch" "$1/lib/cmake/Torch" "$1/torch/share/cmake/Torch"; do
    if [[ -f $place/TorchConfig.cmake ]]; then
      realpath -- "$place"
      return
    fi
  done
  return 1
}

driver_answers() { [[ -n $(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null) ]]; }

choose() {
  case $1 in
    '')
      local before
      before=$(sed -n 's/^# chosen: //p' "$settings" 2>/dev/null) || true
      if [[ -z $before ]]; then
        choose auto
      else
        say "$before, as chosen before (--libtorch chooses anew)"
        echo "$before"
      fi
      ;;
    debian | pip)
      say "$1, as asked for"
      echo "$1"
      ;;
    auto)
      if [[ -n ${Torch_DIR:-} ]]; then
        say "$Torch_DIR, as Torch_DIR names it"
        choose "$Torch_DIR"
      elif driver_answers; then
        say "PyPI's torch $torch_version with CUDA, as an NVIDIA driver answers"
        echo pip
      else
        say "Debian's package, as no NVIDIA driver answers"
        echo debian
      fi
      ;;
    *)
      config_folder "$1" ||
        stop "there is no TorchConfig.cmake in $1 or its share/cmake/Torch. Name an unpacked LibTorch, debian, pip or auto"
      ;;
  esac
}

# write_settings CHOICE: with CMake's settings from stdin; only if they change, as a newer file makes build.sh configure from
# nothing.
write_settings() {
  mkdir -p "$(dirname "$settings")"
  {
    echo "# Written by scripts/setup.sh."
    echo "# chosen: $1"
    cat
  } >"$settings.new"
  if cmp -s "$settings.new" "$settings"; then
    rm "$settings.new"
  else
    mv "$settings.new" "$settings"
  fi
}

quietly() {
  mkdir -p "$(dirname "$log")"
  "$@" >>"$log" 2>&1 || {
    tail -n 15 "$log" >&2
    stop "failed: $* (all of its output is in $log)"
  }
}

# The nvcc of CUDA VERSION, in the path, where NVIDIA's packages put it, or from PyPI.
nvcc_of() {
  local place
  for place in "$(command -v nvcc || true)" "/usr/local/cuda-$1/bin/nvcc" /usr/local/cuda/bin/nvcc "$toolkit/bin/nvcc"; do
    if [[ -x $place ]] && "$place" --version 2>/dev/null | grep -qF "release $1,"; then
      echo "$place"
      return
    fi
  done
  say "installing CUDA's compiler $1 from PyPI"
  quietly "$venv/bin/pip" install "nvidia-cuda-nvcc==$1.*" "nvidia-cuda-crt==$1.*" "nvidia-nvvm==$1.*" \
    "nvidia-cuda-cccl==$1.*"
  # the wheels have libcudart.so.13 and the like, the linker looks for libcudart.so
  local library
  for library in "$toolkit"/lib/*.so.*; do
    ln -sfn "$(basename "$library")" "${library%%.so.*}.so"
  done
  [[ -e $toolkit/lib64 ]] || ln -s lib "$toolkit/lib64"
  [[ -x $toolkit/bin/nvcc ]] || stop "PyPI's nvidia-cuda-nvcc $1 brought no $toolkit/bin/nvcc"
  echo "$toolkit/bin/nvcc"
}

# Compute capabilities for CMake, 90 for 9.0: those of the cards here, else of the preset, which brings PTX for newer cards.
architectures() {
  local found
  found=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | tr -d '. ' | sort -un | paste -sd ';') || true
  echo "${found:-80-real;86-real;90}"
}

prepare_pip() {
  if [[ ! -x $venv/bin/pip ]]; then
    quietly python3 -m venv "$venv"
  fi
  local python=$venv/bin/python site cuda nvcc
  if [[ $("$python" -c 'import importlib.metadata as m; print(m.version("torch").split("+")[0])' 2>/dev/null) != "$torch_version" ]]; then
    say "installing torch $torch_version from PyPI into $venv: about 3 GB, some minutes"
    quietly "$venv/bin/pip" install "torch==$torch_version"
  fi
  site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  cuda=$(sed -n "s/^cuda[^=]*= '\(.*\)'/\1/p" "$site/torch/version.py")
  if [[ -z $cuda ]]; then
    say "this torch is one without CUDA"
    write_settings pip <<SETTINGS
set(Torch_DIR "$site/torch/share/cmake/Torch" CACHE PATH "" FORCE)
SETTINGS
    return
  fi
  toolkit=$site/nvidia/cu${cuda%%.*}
  nvcc=$(nvcc_of "$cuda")
  say "torch $torch_version in $venv, CUDA $cuda, $nvcc"
  write_settings pip <<SETTINGS
set(Torch_DIR "$site/torch/share/cmake/Torch" CACHE PATH "" FORCE)
set(EFFNETV2_CUDA ON CACHE BOOL "" FORCE)
set(CMAKE_CUDA_COMPILER "$nvcc" CACHE FILEPATH "" FORCE)
set(CMAKE_CUDA_ARCHITECTURES "$(architectures)" CACHE STRING "" FORCE)
set(CUDA_TOOLKIT_ROOT_DIR "$(dirname "$(dirname "$nvcc")")" CACHE PATH "" FORCE)
SETTINGS
}

prepare() {
  case $1 in
    pip) prepare_pip ;;
    debian) write_settings debian <<<"# CMake finds Debian's package by itself" ;;
    *)
      write_settings "$1" <<SETTINGS
set(Torch_DIR "$1" CACHE PATH "" FORCE)
SETTINGS
      ;;
  esac
}

case ${1:-} in
  choose | prepare)
    (($# == 2)) || stop "$1 takes one word (see --help)"
    "$1" "$2"
    ;;
  *)
    sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    [[ ${1:-} == -h || ${1:-} == --help ]] || exit 2
    ;;
esac
