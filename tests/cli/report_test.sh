#!/usr/bin/env bash
# effnetv2 report: a page for one run and for several, drawn in headless Chromium where that is installed.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
program=$(realpath "$1")
cd "$temp"

"$program" data synth shapes --images-per-class 10 >/dev/null 2>&1
cat >tiny.json <<'JSON'
{
  "name": "tiny", "device": "cpu", "threads": 1,
  "model": {"stages": [{"block": "fused_mbconv", "expand": 1, "kernel": 3, "stride": 2, "channels": 8, "layers": 1}],
            "stem_channels": 8, "head_channels": 16, "init": "per_group"},
  "data": {"root": "shapes", "image_size": 16, "split": {"val": 0.2, "test": 0.2}},
  "train": {"epochs": 3, "batch_size": 16}
}
JSON
for dropout in 0.1 0.5; do
  for seed in 1 2; do
    expect_exit 0 "$program" train tiny.json --quiet --set seed=$seed --set model.dropout=$dropout --run-dir "sweep/dropout=$dropout-seed$seed"
    expect_file "sweep/dropout=$dropout-seed$seed/report.html" # training writes it
  done
done
expect_file sweep/dropout=0.1-seed1/eval/val/eval.json
expect_file sweep/dropout=0.1-seed1/eval/test/eval.json
expect_exit 0 "$program" report sweep/dropout=0.1-seed1
expect_equal "$(cat "$output")" sweep/dropout=0.1-seed1/report.html
expect_exit 0 "$program" report sweep/* -o many.html
for page in many.html sweep/dropout=0.1-seed1/report.html; do
  grep -qE '(src|href)="?https?:|@import|url\(' "$page" && fail "$page fetches something"
done
expect_exit 0 "$program" train tiny.json --quiet --set model.dropout=0.5 --run-dir sweep/dropout=0.1-seed1 --overwrite

# what cannot be read is left out of a comparison; a lone run that cannot be is an error
mkdir empty
expect_exit 0 "$program" report sweep/*seed1 empty -o some.html
expect_contains "$errors" "left out: empty: is no run directory"
expect_exit 2 "$program" report empty shapes
cp -r sweep/dropout=0.5-seed2 damaged
echo '[]' >damaged/eval/val/eval.json
rm damaged/eval/test/predictions.csv
expect_exit 0 "$program" report damaged # without these evaluations
echo '{"epoch": 4, "epoch_seconds": null, "images_per_second": "fast"}' >>damaged/metrics.jsonl
expect_exit 0 "$program" report damaged
echo '[]' >damaged/eval/val/eval.json
expect_exit 0 "$program" resume damaged --set train.epochs=4 --quiet
expect_equal "$(jq .split damaged/eval/val/eval.json)" '"val"'
echo null >damaged/result.json
expect_exit 3 "$program" report damaged
expect_contains "$errors" "result.json"
# a page never goes over another file
expect_exit 2 "$program" report sweep/*seed1 -o sweep/dropout=0.5-seed2/checkpoints/best.safetensors
expect_contains "$errors" "no HTML page"
expect_exit 2 "$program" report shapes
expect_contains "$errors" "no run directory"
expect_exit 2 "$program" report
expect_exit 6 "$program" report sweep/* -o nowhere/many.html

if ! command -v chromium >/dev/null; then
  echo "report: NOT DRAWN: chromium is not installed, so no page was opened in a browser (scripts/setup.sh --browser)"
  exit 0
fi
# dom PAGE: what the page is once it has drawn itself; its console is in $errors
dom() {
  HOME=$temp timeout 120 chromium --headless=new --no-sandbox --disable-gpu --virtual-time-budget=5000 \
    --enable-logging=stderr --v=0 --dump-dom "file://$(realpath "$1")" >"$output" 2>"$errors" </dev/null || fail "chromium failed on $1"
  ! grep -E 'CONSOLE.*(rror|ncaught)' "$errors" || fail "errors in the console of $1"
}
"$program" report sweep/dropout=0.5-seed1 -o one.html >/dev/null
dom one.html
expect_equal "$(grep -o '<canvas' "$output" | wc -l)" 5 "charts of one run"
expect_contains "$output" ">Surest mistakes<"
# the page's own script is in the output too: what is looked for stands so only in what it made
expect_contains "$output" '<img src="data:image/jpeg;base64,'
grep -qE 'read once \(95 %: [0-9]' "$output" || fail "no interval of the test accuracy"
"$program" train tiny.json --quiet --set data.split.val=0 --set data.split.choose_on=test --run-dir flattered
dom flattered/report.html
grep -qE 'best test top-1, epoch [0-9]+, chosen on these very images' "$output" || fail "the choice on test images is not told"
expect_exit 0 "$program" report flattered sweep/*seed2 -o some.html
dom some.html
expect_contains "$output" "On the test images 1 of 3 runs chose the best epoch"
"$program" train tiny.json --quiet --set 'description=<!-- <script> and </script>' --set train.epochs=1 --run-dir hostile
dom hostile/report.html
expect_equal "$(grep -o '<canvas' "$output" | wc -l)" 5 "charts beside a hostile description"
dom many.html
expect_equal "$(grep -o '<canvas' "$output" | wc -l)" 5 "charts of several runs"
expect_contains "$output" "dropout=0.1"
# a canvas that Chart.js has drawn on has a size of its own
expect_lacks "$output" '<canvas role="img" width="0"'
# charts as files
expect_exit 2 "$repo/scripts/report_png.sh"
expect_exit 2 "$repo/scripts/report_png.sh" --sideways
EFFNETV2=$program expect_exit 0 "$repo/scripts/report_png.sh" -o charts --scale 1 sweep/*
expect_equal "$(find charts -name '*.png' | wc -l)" 5
expect_equal "$(head -c 4 charts/training-time.png | tail -c 3)" PNG
EFFNETV2=$program expect_exit 0 "$repo/scripts/report_png.sh" --page page.png --scale 1 --dark sweep/*
expect_file page.png

# tables sort at a click: the page clicks on its own last column's head, and the head says so
sed 's#</body>#<script>document.querySelectorAll("table")[1].querySelectorAll("th button")[0].click();</script></body>#' many.html >clicked.html
dom clicked.html
expect_contains "$output" 'aria-sort="ascending"'
# drawn PAGE EXPRESSION: what the script makes of the page that has drawn itself
drawn() {
  sed "s#</body>#<script>document.title = $2</script></body>#" "$1" >scripted.html
  dom scripted.html
  sed -n 's#.*<title>\([^<]*\)</title>.*#\1#p' "$output" | tail -n 1
}
# charts name a group by what tells it from the others, by whole settings
labels='Chart.getChart(document.querySelector("canvas")).data.labels.join(" and ")'
for ends in "rate=1_type=none rate=2_type=none: rate=1 and rate=2" \
  "wide_depth_mult=1_type=none deep_width_mult=1_type=none: deep_width_mult=1 and wide_depth_mult=1"; do
  read -r one other <<<"${ends%%:*}"
  rm -rf named && mkdir named
  cp -r sweep/dropout=0.1-seed2 "named/$one-seed1"
  cp -r sweep/dropout=0.5-seed2 "named/$other-seed1"
  "$program" report named/* -o named.html >/dev/null
  expect_equal "$(drawn named.html "$labels")" "${ends#*: }"
done
# one long name leaves the others their room
mv "named/$one-seed1" "named/$(printf 'long%.0s' {1..30})-seed1"
"$program" report named/* -o named.html >/dev/null
expect_equal "$(drawn named.html 'Math.max(...Chart.getChart(document.querySelectorAll("canvas")[3]).legend.legendItems.map((item) => item.text.length))')" 48
# a group's mean stands before its runs, and is theirs
courses='Chart.getChart(document.querySelectorAll("canvas")[3]).data.datasets'
expect_equal "$(drawn many.html "$courses.map((set) => set.label).join()")" \
  "dropout=0.1, mean of 2,dropout=0.1-seed1,dropout=0.1-seed2,dropout=0.5, mean of 2,dropout=0.5-seed1,dropout=0.5-seed2"
expect_equal "$(drawn many.html "${courses}[3].data.map((one) => Math.round(1e4 * one.y)).join()")" \
  "$(jq -rs 'group_by(.epoch) | map(map(.val_top1) | add / 2 * 1e4 | round) | join(",")' sweep/dropout=0.5-seed*/metrics.jsonl)"
echo "report: ok"
