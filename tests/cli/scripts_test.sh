#!/usr/bin/env bash
# scripts/{setup,build,run,lint}.sh in a copy of them, with stand-ins for the programs that they call.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

copy=$temp/copy
bin=$temp/bin
calls=$temp/calls
mkdir "$copy" "$bin" "$temp/elsewhere"
cp -r "$repo/scripts" "$copy/scripts"
rm -f "$copy"/scripts/*.py
touch "$calls"
export CALLS=$calls
unset EFFNETV2_SKIP_SETUP

with_stand_ins() { PATH=$bin:$PATH "$@"; }

# ---- setup.sh
setup=$copy/scripts/setup.sh
stand_in "$bin/dpkg-query" <<'SCRIPT'
[[ -z ${MISSING:-} || ${!#} != "$MISSING" ]] && echo installed
SCRIPT
stand_in "$bin/apt-get" <<'SCRIPT'
echo "apt-get $*" >>"$CALLS"
echo "the output of apt-get"
exit "${APT_CODE:-0}"
SCRIPT
stand_in "$bin/sudo" <<'SCRIPT'
exec "$@"
SCRIPT
stand_in "$bin/gcc" <<'SCRIPT'
echo x86_64-linux-gnu
SCRIPT

expect_exit 0 with_stand_ins "$setup"
expect_contains "$errors" "packages are there"
expect_equal "$(cat "$calls")" ""
MISSING=libcli11-dev expect_exit 0 with_stand_ins "$setup"
expect_contains "$errors" "installing libcli11-dev"
expect_equal "$(grep -c update "$calls")" 1
expect_contains "$calls" "install --no-install-recommends libcli11-dev"
MISSING=shellcheck expect_exit 0 with_stand_ins "$setup"
expect_lacks "$calls" "shellcheck"
MISSING=shellcheck expect_exit 0 with_stand_ins "$setup" --lint
expect_contains "$calls" "install --no-install-recommends shellcheck"
MISSING=git APT_CODE=100 expect_exit 6 with_stand_ins "$setup"
expect_contains "$errors" "the output of apt-get"
expect_contains "$errors" "$copy/build/logs/setup.log"
expect_exit 2 with_stand_ins "$setup" --develop
expect_contains "$errors" "--develop"
EFFNETV2_SKIP_SETUP=1 MISSING=git expect_exit 0 with_stand_ins "$setup"
expect_contains "$errors" "skipped"

# --python: a stand-in for the system's Python makes an environment that holds itself
sed -i "s#/usr/bin/python3#$bin/python3#" "$setup"
stand_in "$bin/python3" <<'SCRIPT'
echo "python $*" >>"$CALLS"
case "$1 $2" in
  "-m venv") mkdir -p "${!#}/bin" && cp "$0" "${!#}/bin/python" ;;
  "-m pip") echo "pip finds nothing" && exit "${PIP_CODE:-0}" ;;
  "-c import numpy"*) echo 1.24.2 ;;
esac
SCRIPT
PIP_CODE=1 expect_exit 6 with_stand_ins "$setup" --python
expect_contains "$errors" "pip finds nothing"
expect_contains "$errors" "is there no network"
MISSING=python3-pandas expect_exit 0 with_stand_ins "$setup" --python
expect_contains "$calls" "install --no-install-recommends python3-pandas"
expect_contains "$calls" "numpy==1.24.2"
: >"$calls"
expect_exit 0 with_stand_ins "$setup" --python
expect_contains "$errors" "build/python is there"
expect_lacks "$calls" "-m "
sed -i 's/safetensors>=/safetensors>=9/' "$setup"
expect_exit 0 with_stand_ins "$setup" --dev
expect_contains "$calls" "safetensors>=9"

# Another system: only what the script itself needs is in the path.
mkdir "$temp/plain"
for tool in bash env dirname sed; do ln -s "$(command -v "$tool")" "$temp/plain/$tool"; done
PATH=$temp/plain expect_exit 6 "$setup"
expect_contains "$errors" "not a Debian system"
expect_contains "$errors" "LibTorch"

# ---- which LibTorch
settings=$copy/build/libtorch.cmake
stand_in "$bin/nvidia-smi" <<'SCRIPT'
[[ -n ${CARD:-} ]] || exit 9
[[ $* == *compute_cap* ]] && echo 9.0 || echo a card
SCRIPT
expect_contains "$settings" "chosen: debian"
MISSING=libtorch-dev expect_exit 0 with_stand_ins "$setup" --libtorch debian
expect_contains "$calls" "install --no-install-recommends libtorch-dev"
expect_contains "$errors" "LibTorch: debian, as asked for"
expect_exit 2 with_stand_ins "$setup" --libtorch
expect_contains "$errors" "setup: --libtorch needs auto, debian, pip or a folder"
expect_exit 2 with_stand_ins "$setup" --libtorch ""
expect_exit 6 with_stand_ins "$setup" --libtorch "$temp/elsewhere"
expect_contains "$errors" "no TorchConfig.cmake in $temp/elsewhere"
expect_contains "$settings" "chosen: debian"
mkdir -p "$temp/libtorch/share/cmake/Torch"
touch "$temp/libtorch/share/cmake/Torch/TorchConfig.cmake"
expect_exit 0 with_stand_ins "$setup" --libtorch "$temp/libtorch"
expect_contains "$settings" "set(Torch_DIR \"$temp/libtorch/share/cmake/Torch\""
: >"$calls"
MISSING=libtorch-dev expect_exit 0 with_stand_ins "$setup"
expect_equal "$(cat "$calls")" ""
expect_contains "$settings" "$temp/libtorch"
expect_contains "$errors" "$temp/libtorch/share/cmake/Torch, as chosen before"
Torch_DIR=$temp/libtorch expect_exit 0 with_stand_ins "$setup" --libtorch auto
expect_contains "$errors" "as Torch_DIR names it"

# With a card PyPI's wheel, whose environment and compiler stand in for themselves.
site=$copy/.venv/site
mkdir -p "$site/torch" "$site/nvidia/cu13/lib"
echo "cuda: Optional[str] = '13.0'" >"$site/torch/version.py"
stand_in "$copy/.venv/bin/pip" <<'SCRIPT'
echo "pip $*" >>"$CALLS"
touch "$PIP_DID"
SCRIPT
stand_in "$copy/.venv/bin/python" <<SCRIPT
[[ \$2 != *version* ]] || ! [[ -f "$temp/pip" ]] || echo 2.11.0
[[ \$2 != *purelib* ]] || echo "$site"
SCRIPT
stand_in "$bin/nvcc" <<'SCRIPT'
echo "Cuda compilation tools, release ${NVCC:-13.0}, V13.0.88"
SCRIPT
: >"$calls"
CARD=1 PIP_DID=$temp/pip expect_exit 0 with_stand_ins "$setup" --libtorch auto
expect_contains "$errors" "an NVIDIA driver answers"
expect_contains "$calls" "pip install torch==2.11.0"
expect_contains "$settings" "set(Torch_DIR \"$site/torch/share/cmake/Torch\""
expect_contains "$settings" "set(CMAKE_CUDA_COMPILER \"$bin/nvcc\""
expect_contains "$settings" 'set(CMAKE_CUDA_ARCHITECTURES "90"'
: >"$calls"
touch -d "2 days ago" "$settings"
CARD=1 PIP_DID=$temp/pip expect_exit 0 with_stand_ins "$setup"
expect_equal "$(cat "$calls")" ""
[[ $(find "$settings" -mtime +0) == "$settings" ]] || fail "the same settings were written again"
PIP_DID=$temp/pip expect_exit 0 with_stand_ins "$setup" --libtorch debian

# ---- build.sh
build=$copy/scripts/build.sh
stand_in "$bin/cmake" <<'SCRIPT'
echo "cmake $*" >>"$CALLS"
if [[ $1 == --preset ]]; then
  mkdir -p "build/$2" && touch "build/$2/CMakeCache.txt"
else
  echo "${NINJA_SAYS:-ninja: no work to do.}"
fi
exit "${CMAKE_CODE:-0}"
SCRIPT
: >"$calls"
NINJA_SAYS="[3/9] Building CXX object a.o" expect_exit 0 with_stand_ins "$build"
expect_contains "$calls" "cmake --preset release"
expect_contains "$errors" "$copy/build/release built in"
: >"$calls"
expect_exit 0 with_stand_ins "$build" effnetv2
expect_lacks "$calls" "--preset"
expect_contains "$calls" "--target effnetv2"
expect_contains "$errors" "up to date"
expect_exit 0 with_stand_ins "$build" --preset asan --werror
expect_contains "$calls" "cmake --preset asan -C $settings -DEFFNETV2_WERROR=ON"
echo "set(Torch_DIR elsewhere)" >>"$settings"
touch -d "1 minute" "$settings"
: >"$calls"
expect_exit 0 with_stand_ins "$build" effnetv2
expect_contains "$calls" "cmake --preset release -C $settings"
touch -d "1 minute ago" "$settings"
NINJA_SAYS="a.cpp:3:1: error: expected ;" CMAKE_CODE=1 expect_exit 1 with_stand_ins "$build"
expect_contains "$errors" "a.cpp:3:1: error: expected ;"
expect_contains "$errors" "$copy/build/logs/build-release.log"
expect_exit 2 with_stand_ins "$build" --prest asan
expect_exit 0 "$build" --help
expect_contains "$output" "--preset NAME"

# ---- run.sh
run=$copy/scripts/run.sh
stand_in "$copy/build/release/effnetv2" <<'SCRIPT'
echo "$*" >>"$CALLS"
if [[ "$1 $2" == "config show" ]]; then
  root=$(jq -r '.data.root' "$3")
  for word in "$@"; do [[ $word != *data.root=* ]] || root=${word#*data.root=}; done
  jq -n --arg root "$root" '{data: {root: $root}}'
fi
SCRIPT
mkdir "$copy/configs"
echo "{\"data\": {\"root\": \"$copy/configs/../data/synth\"}}" >"$copy/configs/quickstart.json"
echo '{"data": {"root": null}}' >"$temp/elsewhere/own.json"
cd "$temp/elsewhere"

expect_exit 2 with_stand_ins "$run"
expect_contains "$errors" "configs/quickstart.json"
expect_exit 2 with_stand_ins "$run" nothing.json
expect_contains "$errors" "there is no config nothing.json"
expect_contains "$errors" "configs/quickstart.json"
: >"$calls"
expect_exit 0 with_stand_ins "$run" configs/quickstart.json --set train.epochs=2 --quiet
expect_contains "$calls" "data synth $copy/data/synth"
expect_equal "$(tail -n 1 "$calls")" "train $copy/configs/quickstart.json --set train.epochs=2 --quiet"
expect_no_file "$temp/elsewhere/build"
: >"$calls"
expect_exit 0 with_stand_ins "$run" own.json
expect_lacks "$calls" "data synth"
expect_equal "$(tail -n 1 "$calls")" "train own.json"
for form in "--set data.root=/photos" "--set=data.root=/photos" "--set train.epochs=2 data.root=/photos"; do
  : >"$calls"
  # shellcheck disable=SC2086
  expect_exit 0 with_stand_ins "$run" configs/quickstart.json $form
  expect_lacks "$calls" "data synth"
done

# ---- lint.sh: the order of the rooms and the paths of machines
tree=$temp/tree
mkdir -p "$tree/src/data" "$tree/src/train"
cp -r "$copy/scripts" "$tree/scripts"
git init -q "$tree"
cd "$tree"
echo '#include "effnetv2/core/rng.h"' >"$tree/src/data/loader.cpp"
echo '#include "effnetv2/data/loader.h"' >"$tree/src/train/trainer.cpp"
expect_exit 0 "$tree/scripts/lint.sh"
echo '#include "effnetv2/train/trainer.h"' >>"$tree/src/data/loader.cpp"
expect_exit 1 "$tree/scripts/lint.sh"
expect_contains "$errors" "src/data/loader.cpp:2: data includes train"
mv "$tree/src/data" "$tree/src/attic"
expect_exit 1 "$tree/scripts/lint.sh"
expect_contains "$errors" "attic is not a room"
mv "$tree/src/attic/loader.cpp" "$temp/gone.cpp"
expect_exit 0 "$tree/scripts/lint.sh"
printf 'see /%s/somebody/photos\n' home >"$tree/notes.md"
expect_exit 1 "$tree/scripts/lint.sh"
expect_contains "$output" "notes.md"

echo "scripts: ok"
