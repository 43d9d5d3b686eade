#!/usr/bin/env bash
# scripts/get_data.sh with stand-ins for the network.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

get_data=$repo/scripts/get_data.sh
bin=$temp/bin
sets=$temp/sets
export CALLS=$temp/calls
touch "$CALLS"

# The archive as it lies on the server, and the checksum of this very file.
mkdir -p "$temp/made/imagenette2-320"/{train,val}/n01440764
echo train >"$temp/made/imagenette2-320/train/n01440764/1.JPEG"
echo val >"$temp/made/imagenette2-320/val/n01440764/2.JPEG"
tar -czf "$temp/good.tgz" -C "$temp/made" imagenette2-320
tar -czf "$temp/odd.tgz" -C "$temp/made/imagenette2-320" train
export SERVED=$temp/good.tgz

stand_in_curl "$bin"
stand_in "$bin/md5sum" <<'SCRIPT'
cmp -s - "${GOOD:-$SERVED}" && echo "3df6f0d01a2c9592104656642f5e78a3  -" || echo "0123456789abcdef0123456789abcdef  -"
SCRIPT
get() { PATH=$bin:$PATH "$get_data" "$@"; }

# nothing but DIR and what was there before may lie in the folder
expect_only() {
  expect_equal "$*" "$(find "$sets" -mindepth 1 -maxdepth 1 -printf '%f\n' | LC_ALL=C sort | paste -sd ' ')" "$sets"
}

# ---- usage
expect_exit 0 get --help
expect_contains "$output" "get_data.sh imagenette"
expect_lacks "$output" "set -euo"
expect_exit 2 get
expect_contains "$errors" "imagenette or birds"
expect_exit 2 get imagnette
expect_contains "$errors" '"imagnette"'
expect_exit 2 get imagenette a b
expect_exit 2 get imagenette --force
expect_contains "$errors" "--force"
expect_equal "$(cat "$CALLS")" ""

# ---- Imagenette
expect_exit 0 get imagenette "$sets/imagenette"
expect_contains "$CALLS" "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz"
expect_same "$sets/imagenette/train/n01440764/1.JPEG" "$temp/made/imagenette2-320/train/n01440764/1.JPEG"
expect_file "$sets/imagenette/val/n01440764/2.JPEG"
expect_contains "$output" "scripts/run.sh configs/imagenette-32.json --set data.root=$sets/imagenette/train"
expect_only imagenette

# again: nothing is fetched, nothing changes, the command is said once more
: >"$CALLS"
echo mine >"$sets/imagenette/notes"
expect_exit 0 get imagenette "$sets/imagenette"
expect_contains "$output" "--set data.root=$sets/imagenette/train"
expect_file "$sets/imagenette/notes"
expect_equal "$(cat "$CALLS")" ""

# a folder with something else in it is left alone
mkdir "$sets/photos"
echo mine >"$sets/photos/1.jpg"
expect_exit 2 get imagenette "$sets/photos"
expect_contains "$errors" "$sets/photos exists and is not Imagenette"
expect_file "$sets/photos/1.jpg"
expect_equal "$(cat "$CALLS")" ""
rm -r "$sets/imagenette" "$sets/photos"

# cut off: what came is kept, no folder appears, and the same command goes on
STOP_AFTER=50 CURL_CODE=18 expect_exit 6 get imagenette "$sets/imagenette"
expect_contains "$errors" "goes on from there"
expect_contains "$errors" "by hand"
expect_only .imagenette2-320.tgz.part
expect_equal "$(stat -c %s "$sets/.imagenette2-320.tgz.part")" 50
mkdir "$sets/imagenette"
expect_exit 0 get imagenette "$sets/imagenette"
expect_file "$sets/imagenette/val/n01440764/2.JPEG"
expect_only imagenette
rm -r "$sets/imagenette"

# cut off while unpacking: the archive is there already and is not fetched again
cp "$temp/good.tgz" "$sets/.imagenette2-320.tgz.part"
: >"$CALLS"
expect_exit 0 get imagenette "$sets/imagenette"
expect_equal "$(cat "$CALLS")" ""
expect_only imagenette
rm -r "$sets/imagenette"

# something else came
echo "<html>log in first</html>" >"$temp/page"
SERVED=$temp/page GOOD=$temp/good.tgz expect_exit 6 get imagenette "$sets/imagenette"
expect_contains "$errors" "MD5"
expect_only ""
SERVED=$temp/odd.tgz expect_exit 6 get imagenette "$sets/imagenette"
expect_contains "$errors" "does not hold"
expect_only .imagenette2-320.tgz.part
rm "$sets/.imagenette2-320.tgz.part"

# a relative folder, a name with a space
cd "$sets"
expect_exit 0 get imagenette "my set"
expect_contains "$output" "data.root=$sets/my\\ set/train"
expect_only "my set"

# wget will do; with neither, the address is said
plain=$temp/plain
mkdir "$plain"
for tool in bash dirname sed realpath mkdir rm tar gzip mktemp mv ls env cat; do ln -s "$(command -v "$tool")" "$plain/$tool"; done
cp "$bin/md5sum" "$plain/md5sum"
ln -s "$(command -v cmp)" "$plain/cmp"
PATH=$plain expect_exit 6 "$get_data" imagenette "$sets/second"
expect_contains "$errors" "neither curl nor wget"
expect_contains "$errors" "https://s3.amazonaws.com"
cat >"$plain/wget" <<'SCRIPT'
#!/usr/bin/env bash
for word in "$@"; do [[ $word != --output-document=* ]] || cat "$SERVED" >"${word#*=}"; done
SCRIPT
chmod +x "$plain/wget"
PATH=$plain expect_exit 0 "$get_data" imagenette "$sets/second"
expect_file "$sets/second/train/n01440764/1.JPEG"

# ---- birds
expect_exit 6 get birds "$sets/birds"
expect_contains "$output" "https://www.kaggle.com/datasets/arjunbasandrai/25-indian-bird-species-with-226k-images"
expect_contains "$output" "$sets/birds"
expect_no_file "$sets/birds"
mkdir -p "$sets/birds"/{heron,kingfisher}
touch "$sets/birds/heron/1.jpg"
expect_exit 6 get birds "$sets/birds"
touch "$sets/birds/kingfisher/1.JPEG"
expect_exit 0 get birds "$sets/birds"
expect_contains "$output" "scripts/run.sh configs/birds-32.json --set data.root=$sets/birds"

echo "get_data: ok"
