#!/usr/bin/env bash
# Fetches weights that torchvision's authors published, from their address, and checks them.
#
#   scripts/get_weights.sh MODEL [DIR]      MODEL: v2_s (82 MB), v2_m (208 MB), v2_l (455 MB) or b0 (20 MB)
#
# The file goes to DIR, data/weights unless given; a download that was cut off goes on where it stopped. Its name ends in
# the first digits of its SHA-256 sum, which must fit. Exit code: 0 it is there, 2 usage, 6 it cannot be fetched from here.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
address=https://download.pytorch.org/models
declare -A files=(
  [v2_s]=efficientnet_v2_s-dd5fe13b.pth
  [v2_m]=efficientnet_v2_m-dc08266a.pth
  [v2_l]=efficientnet_v2_l-59c71312.pth
  [b0]=efficientnet_b0_rwightman-7f5810bc.pth
)
# what the published transforms differ in from configs/imagenette-384-eval.json
declare -A settings=(
  [v2_s]=''
  [v2_m]='model.arch=efficientnet_v2_m data.image_size=480 data.resize_size=480'
  [v2_l]='model.arch=efficientnet_v2_l data.image_size=480 data.resize_size=480 data.interpolation=bicubic "data.mean=[0.5,0.5,0.5]" "data.std=[0.5,0.5,0.5]"'
  [b0]='model.arch=efficientnet_b0 data.image_size=224 data.resize_size=256 data.interpolation=bicubic'
)

me=get_weights
# shellcheck source=scripts/fetch.sh
source "$repo/scripts/fetch.sh"

usage() { sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

case ${1:-} in
  -h | --help)
    usage
    exit 0
    ;;
  '') fail 2 "which model? v2_s, v2_m, v2_l or b0" ;;
esac
model=$1
[[ -n ${files[$model]:-} ]] || fail 2 "there are no weights of \"$model\"; there are v2_s, v2_m, v2_l and b0"
(($# <= 2)) || fail 2 "too many arguments; see scripts/get_weights.sh --help"
[[ ${2:-} != -* ]] || fail 2 "unknown option $2; see scripts/get_weights.sh --help"
dir=$(realpath -ms -- "${2:-$repo/data/weights}")
name=${files[$model]}
path=$dir/$name
part=$dir/.$name.part

# The digits between the last - and .pth begin the file's SHA-256 sum.
is_whole() {
  local prefix=${name##*-}
  [[ $(sha256sum <"$1") == "${prefix%.pth}"* ]]
}

say_how() {
  echo "$path is there. Now:"
  echo "  effnetv2 eval --weights $(printf %q "$path") --config configs/imagenette-384-eval.json \\"
  echo "      --data IMAGENETTE/val --match-classes --set data.class_names=NAMES${settings[$model]:+ ${settings[$model]}}"
  echo "NAMES is ImageNet's list of synsets, a line \"n01440764 tench, Tinca tinca\" for each of the 1000 classes, in their order:"
  echo "LOC_synset_mapping.txt of ImageNet's page at Kaggle."
}

if [[ -f $path ]]; then
  is_whole "$path" || fail 6 "$path is not what was published (its SHA-256 sum does not begin as its name says)" \
    "remove it and try again"
  say_how
  exit 0
fi
mkdir -p "$dir" || fail 6 "cannot make $dir"
say "fetching $address/$name"
download "$address/$name" "$part" ||
  fail 6 "the download failed; what has come so far is kept, and the same command goes on from there" \
    "by hand: get $address/$name with any browser and put it into $dir"
if ! is_whole "$part"; then
  rm -f "$part"
  fail 6 "what came is not the file it should be (its SHA-256 sum does not begin as its name says); it was removed"
fi
mv -f "$part" "$path"
say_how
