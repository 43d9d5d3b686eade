#!/usr/bin/env bash
# CUDA's compiler takes every kernel, for each architecture that is built for. Needs no card; EFFNETV2_NVCC names a compiler.
# shellcheck source=tests/cli/lib.sh
source "$(dirname "$0")/lib.sh"

nvcc=
for place in "${EFFNETV2_NVCC:-}" "$(command -v nvcc || true)" /usr/local/cuda*/bin/nvcc \
  "$repo"/{build/nvcc,.venv}/lib/python3*/site-packages/nvidia/cu*/bin/nvcc; do
  if [[ -x $place ]]; then
    nvcc=$place
    break
  fi
done
[[ -n $nvcc ]] || skip "there is no nvcc: no CUDA kernel was compiled; scripts/setup.sh --nvcc gets one from PyPI"

# compile FILE ARCHITECTURE: warnings are errors
compile() {
  "$nvcc" -std=c++17 --Werror all-warnings -arch="sm_$2" -I "$repo/include" -cubin -o "$temp/$(basename "$1")-$2.cubin" "$1" ||
    fail "$1 for sm_$2"
}
export -f compile fail
export nvcc temp repo last_command
shopt -s nullglob
kernels=("$repo"/src/ops/cuda/*.cu)
((${#kernels[@]} > 0)) || fail "there are no kernels"
for kernel in "${kernels[@]}"; do
  for architecture in 80 86 90; do
    printf '%s\0%s\0' "$kernel" "$architecture"
  done
done | xargs -0 -n 2 -P 2 bash -c 'compile "$@"' _ || fail "a kernel does not compile"

# a mistake is found
echo '__global__ void wrong(float* x) { x[threadIdx.x] = undeclared; }' >"$temp/wrong.cu"
expect_exit 1 bash -c 'compile "$@"' _ "$temp/wrong.cu" 90

echo "cuda_compile: ok"
