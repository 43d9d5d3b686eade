#!/usr/bin/env bash
# cmake --install: the whole tree, wherever it is moved, and a program of somebody else's that is built on it.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
build=$(cd "$(dirname "$1")" && pwd)
cached() { sed -n "s/^$1:[^=]*=//p" "$build/CMakeCache.txt"; }
compiler=$(cached CMAKE_CXX_COMPILER)
sanitizers=$(cached EFFNETV2_SANITIZE)
flags=${sanitizers:+-fsanitize=$sanitizers}

expect_exit 0 cmake --install "$build" --prefix "$temp/first"
for file in bin/effnetv2 lib/libeffnetv2_{base,nn}.a lib/cmake/effnetv2/effnetv2Config{,Version}.cmake \
  include/effnetv2/run/training.h share/effnetv2/{config.schema.json,configs/quickstart.json} share/man/man1/effnetv2.1 \
  share/bash-completion/completions/effnetv2 share/doc/effnetv2/{LICENSE,README.md,docs/cli.md}; do
  expect_file "$temp/first/$file"
done
expect_same "$temp/first/share/effnetv2/config.schema.json" docs/config.schema.json
"$1" docs man | cmp - "$temp/first/share/man/man1/effnetv2.1" || fail "the installed manual page is another"
"$1" docs completion | cmp - "$temp/first/share/bash-completion/completions/effnetv2" || fail "the installed completion is another"

# the same bytes by way of DESTDIR: nothing holds the prefix
expect_exit 0 env DESTDIR="$temp/staged" cmake --install "$build" --prefix /opt/effnetv2
expect_exit 0 diff -r "$temp/first" "$temp/staged/opt/effnetv2"
# no letter before it: a build that lies in /effnetv2 is not meant by share/effnetv2/
if grep -rlE "(^|[^[:alnum:]_.}-])($temp|$repo)/" "$temp/first/lib/cmake" "$temp/first/share"; then
  fail "the files above name a path of the build"
fi

# a LibTorch that lies among the system's libraries needs no run path, another one is found by it
mv "$temp/first" "$temp/moved"
prefix=$temp/moved
torch=$(ldd "$1" | sed -n 's/.*libtorch_cpu\.so.* => \([^ ]*\) .*/\1/p')
last_command="readelf -d $prefix/bin/effnetv2"
readelf -d "$prefix/bin/effnetv2" >"$output"
if [[ $torch == /usr/* || $torch == /lib/* ]]; then
  expect_lacks "$output" RPATH
  expect_lacks "$output" RUNPATH
else
  expect_contains "$output" "$(dirname "$torch")"
fi

# the moved program with its configs, each of which finds the schema
expect_exit 0 env -i "$prefix/bin/effnetv2" --version
while IFS= read -r config; do
  expect_exit 0 "$prefix/bin/effnetv2" config check "$config"
  schema=$(sed -n 's/^  "[$]schema": "\(.*\)",$/\1/p' "$config")
  expect_equal "$(realpath -m "$(dirname "$config")/$schema")" "$prefix/share/effnetv2/config.schema.json" "$config"
done < <(find "$prefix/share/effnetv2/configs" -name '*.json')

# headers: each of those without LibTorch compiles alone, the others together
cat >"$temp/compile.sh" <<'SCRIPT'
printf '#include <%s>\n' "${@:2}" | $COMPILE -I"$1" -x c++ - >"$2.log" 2>&1 && rm "$2.log"
SCRIPT
cd "$prefix/include"
export COMPILE="$compiler -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic"
mapfile -t headers < <(find effnetv2 -name '*.h' | LC_ALL=C sort)
mapfile -t plain < <(printf '%s\n' "${headers[@]}" | grep -E '^effnetv2/(core|config|data|report)/' | grep -v torch_compat)
((${#plain[@]} > 40 && ${#headers[@]} > 75)) || fail "only ${#headers[@]} headers are installed"
printf '%s\n' "${plain[@]}" | xargs -P 2 -n 1 bash "$temp/compile.sh" . || fail "$(cat effnetv2/*/*.log)"

# somebody else's program
cmake_prefixes=$prefix
for folder in $(cached CMAKE_PREFIX_PATH | tr ';' ' '); do
  cmake_prefixes+=";$folder"
done
printf '#include <%s>\n' "${headers[@]}" >"$temp/all.h"
libtorch=()  # as its user would name it too
for name in Torch_DIR CMAKE_CUDA_COMPILER CMAKE_CUDA_ARCHITECTURES CUDA_TOOLKIT_ROOT_DIR; do
  value=$(cached "$name")
  [[ -z $value ]] || libtorch+=("-D$name=$value")
done
expect_exit 0 cmake -S "$repo/tests/consumer" -B "$temp/consumer" -G Ninja "${libtorch[@]}" -DCMAKE_CXX_COMPILER="$compiler" \
  -DCMAKE_PREFIX_PATH="$cmake_prefixes" -DCMAKE_CXX_FLAGS="$flags" -DFORWARD_OPTIONS="-include;$temp/all.h"
expect_exit 0 cmake --build "$temp/consumer" --parallel 2
expect_exit 0 "$temp/consumer/keys" "$prefix/share/effnetv2/configs/quickstart.json"
expect_equal "$(cat "$output")" "10 epochs"
expect_exit 2 "$temp/consumer/keys" "$temp/none.json"
expect_exit 0 "$temp/consumer/forward" "$prefix/share/effnetv2/configs/imagenette-32.json"
expect_equal "$(cat "$output")" "20190298 parameters, 10 logits"

# libraries of one LibTorch are not for another
sed -i 's/Torch_VERSION VERSION_EQUAL "[0-9.]*"/Torch_VERSION VERSION_EQUAL "0.4"/' "$prefix/lib/cmake/effnetv2/effnetv2Config.cmake"
expect_exit 1 cmake "$temp/consumer"
tr -s ' \n' ' ' <"$errors" >"$temp/message"
expect_contains "$temp/message" "Point CMAKE_PREFIX_PATH at"

echo "install: ok (${#headers[@]} headers)"
