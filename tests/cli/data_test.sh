#!/usr/bin/env bash
# effnetv2 data: synth, verify, stats and from-idx, their streams and exit codes.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
program=$(realpath "$1")

# A line per file with its checksum.
sums() { (cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum); }
silent() { [[ ! -s $1 ]] || fail "$(basename "$1") is not empty"; }

# ---- synth: the same bytes each time
shapes=$temp/shapes
expect_exit 0 "$program" data synth "$shapes" --images-per-class 6
expect_equal "$(cat "$output")" "$shapes" "stdout"
expect_equal "$(find "$shapes" -name '*.png' | wc -l)" 60 "pictures"
sums "$shapes" >"$temp/first"
expect_exit 0 "$program" data synth "$temp/again" --images-per-class 6 --threads 1
sums "$temp/again" >"$temp/second"
expect_same "$temp/first" "$temp/second"
expect_exit 0 "$program" data synth "$shapes" --images-per-class 6 --quiet
silent "$errors"
sums "$shapes" >"$temp/second"
expect_same "$temp/first" "$temp/second"
expect_exit 0 "$program" data synth "$temp/other" --images-per-class 6 --seed 7 --size 16
sums "$temp/other" >"$temp/second"
! cmp -s "$temp/first" "$temp/second" || fail "another seed, the same pictures"
# a set with a hole is completed, one of other options and a stranger's folder are left alone
rm "$temp/again/star/0003.png"
expect_exit 0 "$program" data synth "$temp/again" --images-per-class 6
sums "$temp/again" >"$temp/second"
expect_same "$temp/first" "$temp/second"
expect_exit 3 "$program" data synth "$temp/again" --images-per-class 6 --seed 7
expect_contains "$errors" "other options"
mkdir "$temp/photos"
echo mine >"$temp/photos/1.jpg"
expect_exit 3 "$program" data synth "$temp/photos"
expect_contains "$errors" "$temp/photos"
expect_equal "$(ls -A "$temp/photos")" 1.jpg
for option in --images-per-class=0 --size=15 --size=x; do
  expect_exit 2 "$program" data synth "$temp/none" "$option"
  expect_no_file "$temp/none"
done

# ---- verify: class sizes, exit 0
expect_exit 0 "$program" data verify "$shapes"
expect_contains "$output" "        6  checkerboard"
expect_contains "$output" "60 images: 0 bad, 0 groups of duplicates"
expect_exit 0 "$program" data verify "$shapes" --json
expect_equal "$(jq -c '[.images, .clean, (.classes | length), .classes[0], .bad, .duplicates]' "$output")" \
  '[60,true,10,{"name":"checkerboard","images":6},[],[]]'

# damage, a page that is no picture, copies within and across classes: exit 3, all listed
head -c 300 "$shapes/star/0001.png" >"$shapes/star/cut.png"
echo "<html>" >"$shapes/ring/page.JPG"
: >"$shapes/ring/empty.webp"
cp "$shapes/cross/0002.png" "$shapes/cross/copy.png"
cp "$shapes/dots/0000.png" "$shapes/waves/dots.png"
touch "$shapes/.hidden.png" "$shapes/star/notes.txt"
expect_exit 3 "$program" data verify "$shapes" --threads 2
expect_contains "$output" "bad: $shapes/star/cut.png: is truncated"
expect_contains "$output" "bad: $shapes/ring/page.JPG: is no JPEG, PNG, BMP or WebP picture"
expect_contains "$output" "bad: $shapes/ring/empty.webp: is empty"
expect_contains "$output" "65 images: 3 bad, 2 groups of duplicates"
expect_equal "$(grep -A 2 '^same bytes:' "$output" | paste -sd ' ')" "same bytes:   cross/0002.png   cross/copy.png"
expect_equal "$(grep -A 2 '^same bytes in different classes:' "$output" | paste -sd ' ')" \
  "same bytes in different classes:   dots/0000.png   waves/dots.png"
silent "$errors"
cp "$output" "$temp/verified"
expect_exit 3 "$program" data verify "$shapes" --threads 1
expect_same "$output" "$temp/verified"
expect_exit 3 "$program" data verify "$shapes" --json
expect_equal "$(jq -c '[.clean, [.bad[].path], [.duplicates[] | [.paths, .across_classes, .across_splits]]]' "$output")" \
  '[false,["ring/empty.webp","ring/page.JPG","star/cut.png"],[[["cross/0002.png","cross/copy.png"],false,false],[["dots/0000.png","waves/dots.png"],true,false]]]'

# a picture that is in two splits
mkdir -p "$temp/split"/{train,val}
for half in train val; do
  cp -r "$temp/again/star" "$temp/again/ring" "$temp/split/$half"
done
rm "$temp/split/val"/*/000[1-5].png "$temp/split/train"/*/0000.png
expect_exit 0 "$program" data verify "$temp/split"
expect_contains "$output" "5  train/ring"
expect_contains "$output" "1  val/star"
cp "$temp/split/train/star/0004.png" "$temp/split/val/star/leak.png"
expect_exit 3 "$program" data verify "$temp/split"
expect_contains "$output" "same bytes in different splits:"
expect_contains "$output" "  val/star/leak.png"

# names that would garble the screen or the JSON
mkdir "$temp/odd" "$temp/odd/a" "$temp/odd/b"
cp "$temp/again/star/0000.png" "$temp/odd/a"
cp "$temp/again/star/0001.png" "$temp/odd/b"
echo x >"$temp/odd/a/"$'new\nline\e[31m.jpg'
echo x >"$temp/odd/b/"$'not\xffutf8.jpg'
expect_exit 3 "$program" data verify "$temp/odd"
expect_equal "$(wc -l <"$output")" 5 "lines"
expect_contains "$output" 'a/new\x0Aline\x1B[31m.jpg'
expect_exit 3 "$program" data verify "$temp/odd" --json
expect_equal "$(jq -r '.bad[1].path' "$output")" 'b/not\xFFutf8.jpg'

# no data set at all
expect_exit 3 "$program" data verify "$temp/nowhere"
expect_contains "$errors" "$temp/nowhere"
silent "$output"
mkdir -p "$temp/single/heron"
cp "$temp/again/star/0000.png" "$temp/single/heron"
expect_exit 3 "$program" data verify "$temp/single"
expect_contains "$output" 'only one class, "heron"'
expect_exit 2 "$program" data verify
expect_exit 2 "$program" data verify "$shapes" --jsn
expect_contains "$errors" "did you mean --json?"

# ---- stats
expect_exit 0 "$program" data stats "$shapes"
expect_contains "$output" "        6  checkerboard"
expect_contains "$output" "62 images, 0 greyscale, 3 bad; 32 to 32 wide, 32 to 32 high"
expect_contains "$output" '"mean": [0.'
expect_exit 0 "$program" data stats "$shapes" --json --size 0
expect_equal "$(jq -c '[.images, .bad, .greyscale, .width, .height, (.mean | length), (.std | length), .classes[1]]' "$output")" \
  '[62,3,0,[32,32],[32,32],3,3,{"name":"circle","images":6}]'
expect_equal "$(jq '[.mean[], .std[]] | all(. > 0 and . < 1)' "$output")" true
cp "$output" "$temp/stats"
expect_exit 0 "$program" data stats "$shapes" --json --size 0 --threads 1
expect_same "$output" "$temp/stats"
expect_exit 3 "$program" data stats "$temp/nowhere"
expect_exit 2 "$program" data stats "$shapes" --size -1

# ---- from-idx: three pictures of 2 x 3, labels 1, 0, 1
idx=$temp/idx
mkdir "$idx"
printf '\0\0\10\3\0\0\0\3\0\0\0\3\0\0\0\2' >"$idx/images"
printf '\0\0\0\0\0\0\377\377\377\377\377\377\63\63\63\63\63\63' >>"$idx/images"
printf '\0\0\10\1\0\0\0\3\1\0\1' >"$idx/labels"
expect_exit 0 "$program" data from-idx "$idx/images" "$idx/labels" "$idx/mnist"
expect_equal "$(cat "$output")" "3 images in $idx/mnist"
expect_equal "$(cd "$idx/mnist" && find . -type f | LC_ALL=C sort | paste -sd ' ')" \
  "./0/000001.png ./1/000000.png ./1/000002.png"
expect_exit 0 "$program" data from-idx "$idx/images" "$idx/labels" "$idx/slash/"
expect_equal "$(cd "$idx/slash" && find . -type f | wc -l)" 3 "a folder given with a slash"
(cd "$idx" && expect_exit 0 "$program" data from-idx images labels named)
expect_equal "$(cd "$idx/named" && find . -type f | wc -l)" 3 "a folder given by its name alone"
expect_exit 0 "$program" data verify "$idx/mnist"
expect_exit 0 "$program" data stats "$idx/mnist" --json --size 0
# 0, 255 and 51: a mean of 0.4
expect_equal "$(jq -c '[.images, .greyscale, .width, .height, (.mean[] * 1e6 | round)]' "$output")" \
  '[3,3,[2,2],[3,3],400000,400000,400000]'
expect_exit 3 "$program" data from-idx "$idx/images" "$idx/labels" "$idx/mnist"
expect_contains "$errors" "$idx/mnist: is not empty"
expect_exit 3 "$program" data from-idx "$idx/labels" "$idx/images" "$idx/swapped"
expect_contains "$errors" "in the wrong order?"
gzip -k "$idx/images"
expect_exit 3 "$program" data from-idx "$idx/images.gz" "$idx/labels" "$idx/zipped"
expect_contains "$errors" "gunzip"
printf 'x' >>"$idx/labels"
expect_exit 3 "$program" data from-idx "$idx/images" "$idx/labels" "$idx/long"
expect_contains "$errors" "$idx/labels: has 12 bytes, its header promises 11"
expect_exit 3 "$program" data from-idx "$idx/gone" "$idx/labels" "$idx/none"
expect_contains "$errors" "$idx/gone"
expect_exit 2 "$program" data from-idx "$idx/images" "$idx/labels"
for folder in swapped zipped long none; do expect_no_file "$idx/$folder"; done

# ---- the verb itself
expect_exit 0 "$program" data --help
for word in synth verify stats from-idx Examples:; do expect_contains "$output" "$word"; done
expect_exit 2 "$program" data
expect_exit 2 "$program" data verfy "$shapes"
expect_contains "$errors" "did you mean verify?"
[[ $EUID == 0 ]] || {
  mkdir "$temp/closed"
  chmod 500 "$temp/closed"
  expect_exit 6 "$program" data synth "$temp/closed/shapes"
}

echo "data: ok"
