#!/usr/bin/env bash
# The charts of a report as PNG files, for a paper or a talk.
#
#   scripts/report_png.sh [-o DIR] [--scale N] [--page FILE.png [--dark]] RUN_DIR...
#
#   -o DIR        where they go (default: charts); each is named after its title
#   --scale N     pixels per point (default 3, for print)
#   --page FILE   the whole page as one picture instead, 1200 points wide, in the light or the dark colours
#
# Needs chromium (scripts/setup.sh --browser). EFFNETV2 names the program, by default build/release/effnetv2.
# Exit code: 0 done, 2 usage, 6 a program is missing or fails.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=${EFFNETV2:-$repo/build/release/effnetv2}
say() { echo "report_png: $*" >&2; }
usage() { sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

out=charts
scale=3
page=''
colours=()
runs=()
while (($# > 0)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --dark) colours=(--blink-settings=preferredColorScheme=0) ;;
    -o | --scale | --page)
      (($# > 1)) || { say "$1 needs a value"; exit 2; }
      case $1 in
        -o) out=$2 ;;
        --scale) scale=$2 ;;
        --page) page=$2 ;;
      esac
      shift
      ;;
    -*)
      say "unknown option $1; see --help"
      exit 2
      ;;
    *) runs+=("$1") ;;
  esac
  shift
done
((${#runs[@]} > 0)) || { say "no run directory given; see --help"; exit 2; }
[[ $scale =~ ^[1-9]$ ]] || { say "--scale $scale: expected 1 to 9"; exit 2; }
for needed in chromium "$program"; do
  command -v "$needed" >/dev/null || { say "there is no program $needed"; exit 6; }
done

temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
"$program" report "${runs[@]}" -o "$temp/page.html" --quiet >/dev/null

browse() {
  HOME=$temp timeout 120 chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --virtual-time-budget=5000 \
    --force-device-scale-factor="$scale" "${colours[@]}" "$@" 2>"$temp/log" </dev/null || {
    say "chromium failed:"
    tail -n 3 "$temp/log" >&2
    exit 6
  }
}

# The page with a script at its end that leaves one line a chart, and nothing else, in the document.
with_script() { sed "s#</body>#<script>$1</script></body>#" "$temp/page.html" >"$temp/scripted.html"; }

if [[ -n $page ]]; then
  with_script 'document.body.innerHTML = "HEIGHT " + document.documentElement.scrollHeight'
  browse --window-size=1200,800 --dump-dom "file://$temp/scripted.html" >"$temp/dom"
  height=$(grep -o 'HEIGHT [0-9]*' "$temp/dom" | tail -n 1 | cut -d' ' -f2)
  browse --window-size="1200,$height" --screenshot="$temp/page.png" "file://$temp/page.html" >/dev/null
  mv "$temp/page.png" "$page"
  echo "$page"
  exit 0
fi

# shellcheck disable=SC2016  # JavaScript's own dollars
with_script 'const lines = [...document.querySelectorAll("canvas")].map((canvas) => { const copy = document.createElement("canvas"); copy.width = canvas.width; copy.height = canvas.height; const context = copy.getContext("2d"); context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--paper"); context.fillRect(0, 0, copy.width, copy.height); context.drawImage(canvas, 0, 0); return "CHART " + canvas.getAttribute("aria-label") + "\\t" + copy.toDataURL("image/png").split(",")[1]; }); document.body.textContent = "\\n" + lines.join("\\n") + "\\n"'
browse --window-size=1200,1000 --dump-dom "file://$temp/scripted.html" >"$temp/dom"
grep '^CHART ' "$temp/dom" >"$temp/charts" || {
  say "chromium drew no chart"
  exit 6
}
mkdir -p "$out"
while IFS=$'\t' read -r title bytes; do
  name=$(tr -cs 'A-Za-z0-9' '-' <<<"${title#CHART }" | tr '[:upper:]' '[:lower:]' | sed 's/^-*//; s/-*$//')
  base64 -d <<<"$bytes" >"$out/$name.png"
  echo "$out/$name.png"
done <"$temp/charts"
