#!/usr/bin/env bash
# The Debian packages that cpack makes: what they say of themselves, what is in them, and that it runs.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
build=$(cd "$(dirname "$1")" && pwd)

for tool in dpkg-shlibdeps file dpkg-deb; do
  command -v "$tool" >/dev/null || skip "there is no $tool (scripts/setup.sh --lint)"
done
torch=$(ldd "$1" | sed -n 's/.*libtorch_cpu\.so.* => \([^ ]*\) .*/\1/p')
dpkg -S "$(realpath "$torch")" >/dev/null 2>&1 || skip "$torch, the LibTorch of this build, is of no package that one could depend on"

expect_exit 0 cpack --config "$build/CPackConfig.cmake" -B "$temp/made"
architecture=$(dpkg --print-architecture)
version=$("$1" --version | sed -n 's/^effnetv2 //p')
program=$temp/made/effnetv2_${version}_$architecture.deb
libraries=$temp/made/effnetv2-dev_${version}_$architecture.deb
expect_equal "$(find "$temp/made" -maxdepth 1 -name '*.deb' | LC_ALL=C sort | paste -sd ' ')" "$libraries $program"

field() { dpkg-deb -f "$1" "$2"; }
for package in "$program" "$libraries"; do
  expect_equal "$(field "$package" Version)" "$version"
  expect_equal "$(field "$package" Architecture)" "$architecture"
  expect_equal "$(field "$package" Homepage)" ""
  [[ $(field "$package" Maintainer) == *' <'*@*'>' ]] || fail "Maintainer: $(field "$package" Maintainer)"
done
expect_equal "$(field "$program" Package) $(field "$program" Section)" "effnetv2 science"
expect_equal "$(field "$libraries" Package) $(field "$libraries" Section)" "effnetv2-dev libdevel"
expect_equal "$(field "$program" Description | head -n 1)" "Train and study EfficientNetV2 from JSON configs"
expect_equal "$(field "$libraries" Description | head -n 1)" "Train and study EfficientNetV2 from JSON configs (libraries)"
for package in "$program" "$libraries"; do
  expect_equal "$(field "$package" Description | sort | uniq -d)" "" "lines that the description has twice"
done
depends=", $(field "$program" Depends),"
for library in libtorch libopencv-core libopencv-imgcodecs libspdlog libc6 libstdc++6 libgomp1; do
  [[ $depends == *", $library"* ]] || fail "the program does not depend on $library: $depends"
done
[[ ", $(field "$libraries" Depends)," == *', libtorch-dev (>= '* ]] || fail "the libraries do not depend on libtorch-dev"

# what is where, owned by root and readable
contents() { dpkg-deb -c "$1" | awk '{ print $1, $2, $6 }'; }
for package in "$program" "$libraries"; do
  contents "$package" >"$temp/contents"
  if grep -vE '^(drwxr-xr-x|-rw-r--r--|-rwxr-xr-x) root/root ' "$temp/contents"; then
    fail "$(basename "$package"): the modes or owners above are not Debian's"
  fi
  expect_contains "$temp/contents" "./usr/share/doc/$(field "$package" Package)/copyright"
done
contents "$program" >"$temp/contents"
for file in bin/effnetv2 share/man/man1/effnetv2.1.gz share/doc/effnetv2/changelog.gz share/effnetv2/config.schema.json \
  share/effnetv2/configs/quickstart.json share/bash-completion/completions/effnetv2; do
  expect_contains "$temp/contents" " ./usr/$file"
done
expect_lacks "$temp/contents" ./usr/include
expect_lacks "$temp/contents" .a
contents "$libraries" >"$temp/contents"
expect_contains "$temp/contents" ./usr/include/effnetv2/run/training.h
expect_contains "$temp/contents" ./usr/lib/libeffnetv2_nn.a
expect_contains "$temp/contents" ./usr/lib/cmake/effnetv2/effnetv2Config.cmake
expect_lacks "$temp/contents" ./usr/bin

# unpacked, whole, stripped, without a run path, and running
expect_exit 0 dpkg-deb -R "$program" "$temp/unpacked"
(cd "$temp/unpacked" && expect_exit 0 md5sum --quiet -c DEBIAN/md5sums)
installed=$temp/unpacked/usr/bin/effnetv2
expect_contains <(file -b "$installed") ", stripped"
expect_lacks <(readelf -d "$installed") RPATH
expect_lacks <(readelf -d "$installed") RUNPATH
expect_exit 0 env -i "$installed" --version
expect_exit 0 "$installed" config check "$temp/unpacked/usr/share/effnetv2/configs/quickstart.json"
expect_exit 0 "$installed" data synth "$temp/shapes" --images-per-class 6 --size 32
expect_exit 0 "$installed" train "$temp/unpacked/usr/share/effnetv2/configs/quickstart.json" --run-dir "$temp/run" \
  --set "data.root=$temp/shapes" train.epochs=1 data.image_size=32 train.batch_size=16
expect_file "$temp/run/result.json"

# the page that man shows
if command -v groff >/dev/null; then
  expect_exit 0 bash -c "zcat $temp/unpacked/usr/share/man/man1/effnetv2.1.gz | groff -man -Tutf8 -ww -P-cbou"
  [[ ! -s $errors ]] || fail "groff has remarks"
  expect_contains "$output" "EXIT STATUS"
else
  echo "package: groff is not installed (scripts/setup.sh --lint): THE MANUAL PAGE IS NOT RENDERED" >&2
fi

echo "package: ok ($(stat -c %s "$program") and $(stat -c %s "$libraries") bytes)"
