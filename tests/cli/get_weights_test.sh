#!/usr/bin/env bash
# scripts/get_weights.sh with stand-ins for the network and for the published files.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

bin=$temp/bin
dir=$temp/weights
export SERVED=$temp/published
printf 'published weights' >"$SERVED"
stand_in_curl "$bin"
stand_in "$bin/sha256sum" <<'SCRIPT'
[[ $(cat) == "published weights" ]] && echo "dd5fe13b0000  -" || echo "012345670000  -"
SCRIPT
get() { PATH=$bin:$PATH "$repo/scripts/get_weights.sh" "$@"; }

expect_exit 0 get --help
expect_contains "$output" "get_weights.sh MODEL"
expect_lacks "$output" "set -euo"
expect_exit 2 get
expect_exit 2 get v2_xl
expect_contains "$errors" '"v2_xl"'
expect_exit 2 get v2_s a b
expect_exit 2 get v2_s --force

# cut off, then whole
expect_exit 6 env STOP_AFTER=5 CURL_CODE=18 PATH="$bin:$PATH" "$repo/scripts/get_weights.sh" v2_s "$dir"
expect_contains "$errors" "goes on from there"
expect_contains "$errors" "by hand: get https://"
export CALLS=$temp/calls
expect_exit 0 get v2_s "$dir"
expect_equal "$(cat "$dir/efficientnet_v2_s-dd5fe13b.pth")" "published weights" "contents"
expect_contains "$CALLS" "--continue-at -"
expect_contains "$output" "--match-classes"
expect_equal "$(ls -A "$dir")" efficientnet_v2_s-dd5fe13b.pth "nothing else"

# there already: no network
: >"$CALLS"
expect_exit 0 get v2_s "$dir"
[[ ! -s $CALLS ]] || fail "it was fetched again"

# something else came, or lies there
printf 'something else' >"$SERVED"
expect_exit 6 get b0 "$dir"
expect_contains "$errors" "it was removed"
echo damaged >"$dir/efficientnet_v2_s-dd5fe13b.pth"
expect_exit 6 get v2_s "$dir"
expect_contains "$errors" "not what was published"
expect_file "$dir/efficientnet_v2_s-dd5fe13b.pth"
echo "get_weights: ok"
