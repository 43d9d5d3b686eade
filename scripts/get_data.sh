#!/usr/bin/env bash
# Fetches the photographs that the shipped experiments use, and says what to run on them.
#
#   scripts/get_data.sh imagenette [DIR]    ten ImageNet classes, 320 px, 340 MB; DIR is data/imagenette unless given
#   scripts/get_data.sh birds [DIR]         25 Indian birds; Kaggle wants an account, so it says what to do by hand
#
# A download that was cut off goes on where it stopped. DIR appears once everything is in it, and a DIR that holds
# something is left alone. Exit code: 0 it is there, 2 usage, 6 it cannot be fetched from here.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
imagenette_url=https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz
imagenette_md5=3df6f0d01a2c9592104656642f5e78a3
birds_page=https://www.kaggle.com/datasets/arjunbasandrai/25-indian-bird-species-with-226k-images

me=get_data
# shellcheck source=scripts/fetch.sh
source "$repo/scripts/fetch.sh"

usage() { sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

is_empty() { [[ -d $1 && -z $(ls -A -- "$1") ]]; }

# The last thing said: how to train on what is in $dir.
say_how() {
  echo "$dir holds the set. Now:"
  printf '  scripts/run.sh %s --set data.root=%q\n' "$@"
}

# ---- Imagenette

imagenette_is_whole() { [[ -d $1/train/n01440764 && -d $1/val/n01440764 ]]; }

has_checksum() { [[ $(md5sum <"$1") == "$imagenette_md5 "* ]]; }

get_imagenette() {
  local parent archive
  if imagenette_is_whole "$dir"; then
    say_how configs/imagenette-32.json "$dir/train" configs/imagenette-32-modern.json "$dir/train"
    return
  fi
  if [[ -e $dir || -L $dir ]] && ! is_empty "$dir"; then
    fail 2 "$dir exists and is not Imagenette (it has no train/ and val/ of its classes)" "name another folder"
  fi
  parent=$(dirname "$dir")
  mkdir -p "$parent" || fail 6 "cannot make $parent"
  archive=$parent/.imagenette2-320.tgz.part
  if [[ ! -f $archive ]] || ! has_checksum "$archive"; then
    say "fetching $imagenette_url (340 MB)"
    download "$imagenette_url" "$archive" ||
      fail 6 "the download failed; what has come so far is kept, and the same command goes on from there" \
        "by hand: get $imagenette_url and unpack it, so that $dir/train and $dir/val are there"
  fi
  if ! has_checksum "$archive"; then
    rm -f "$archive"
    fail 6 "what came is not the archive it should be (its MD5 sum is not $imagenette_md5); it was removed" \
      "try again; if that does not help, see https://github.com/fastai/imagenette for where the set lies now"
  fi

  say "unpacking"
  temporary=$(mktemp -d "$parent/.get_data-XXXXXX")
  trap 'rm -rf "$temporary"' EXIT
  tar -xzf "$archive" --no-same-owner --no-same-permissions -C "$temporary" ||
    fail 6 "cannot unpack it into $parent; the archive is kept"
  imagenette_is_whole "$temporary/imagenette2-320" || fail 6 "the archive does not hold imagenette2-320/{train,val}"
  mv -T "$temporary/imagenette2-320" "$dir" || fail 6 "cannot rename it to $dir; the archive is kept"
  rm -f "$archive"
  say_how configs/imagenette-32.json "$dir/train" configs/imagenette-32-modern.json "$dir/train"
}

# ---- birds

# Folders with a picture in them.
count_species() { find -L "$1" -mindepth 2 -maxdepth 2 -iregex '.*\.\(jpe?g\|png\|webp\|bmp\)' -printf '%h\n' 2>/dev/null | sort -u | wc -l; }

get_birds() {
  if [[ -d $dir ]] && (($(count_species "$dir") > 1)); then
    say_how configs/birds-32.json "$dir" configs/birds-32-modern.json "$dir"
    return
  fi
  cat <<TEXT
Kaggle gives this set only to those who are logged in and accept its terms, so it has to be fetched by hand:

  1. Log in at kaggle.com and open
     $birds_page
  2. Press Download, and unpack the zip file somewhere.
  3. Move the folder that holds one folder per species (training_set in the archive) to
     $dir
  4. Run this command again; it says how to train on it.

Any other folder with one folder of photographs per species does as well.
TEXT
  exit 6
}

# ---- the command line

case ${1:-} in
  -h | --help)
    usage
    exit 0
    ;;
  imagenette | birds) ;;
  '') fail 2 "which set? imagenette or birds" ;;
  *) fail 2 "there is no set \"$1\"; there are imagenette and birds" ;;
esac
(($# <= 2)) || fail 2 "too many arguments; see scripts/get_data.sh --help"
[[ ${2:-} != -* ]] || fail 2 "unknown option $2; see scripts/get_data.sh --help"
dir=$(realpath -ms -- "${2:-$repo/data/$1}")
"get_$1"
