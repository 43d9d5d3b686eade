#!/usr/bin/env bash
# From a fresh machine to a trained network: installs what is missing, builds, makes the quickstart's images and trains.
# Every step that is already done is skipped; each call is a new run directory.
#
#   scripts/run.sh CONFIG.json [options of "effnetv2 train"]
#   scripts/run.sh configs/quickstart.json --set train.epochs=5
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=$repo/build/release/effnetv2
synthetic=$repo/data/synth

usage() {
  sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
}

case ${1:-} in
  -h | --help)
    usage
    exit 0
    ;;
  '' | -*)
    echo "run: the first argument is a config, for example configs/quickstart.json" >&2
    usage >&2
    exit 2
    ;;
esac
config=$1
shift
if [[ ! -f $config && -f $repo/$config ]]; then
  config=$repo/$config
fi
if [[ ! -f $config ]]; then
  echo "run: there is no config $config here. Those that come with effnetv2:" >&2
  (cd "$repo" && find configs -name '*.json' | LC_ALL=C sort | sed 's/^/  /') >&2
  exit 2
fi

"$repo/scripts/setup.sh"
"$repo/scripts/build.sh" effnetv2

# --set can name another data.root than the config does; it takes several settings in a row.
sets=()
in_sets=
for argument in "$@"; do
  case $argument in
    --set | --set=*) in_sets=yes ;;
    -*) in_sets= ;;
  esac
  [[ -z $in_sets ]] || sets+=("$argument")
done
data_root=$("$program" config show "$config" "${sets[@]}" | jq -r '.data.root // ""')
if [[ -n $data_root && $(realpath -m "$data_root") == "$(realpath -m "$synthetic")" ]]; then
  "$program" data synth "$synthetic" >&2
fi

exec "$program" train "$config" "$@"
