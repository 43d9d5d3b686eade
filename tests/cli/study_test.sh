#!/usr/bin/env bash
# The study's scripts: what the page says is what its rows give, intervals are right, and unseen pictures were unseen.
# shellcheck source=tests/cli/lib.sh
source "$(dirname "$0")/lib.sh"
EFFNETV2=$(realpath "${1:?the program}")
export EFFNETV2 PYTHONDONTWRITEBYTECODE=1
command -v python3 >/dev/null || skip "there is no python3"

expect_exit 0 "$repo/scripts/study_tables.py" --check
expect_exit 2 "$repo/scripts/study_tables.py" --chekc

# Of known figures: 1, 2 and 6 points more with the same seeds, 3 on average, +-4.303 sqrt(7 / 3).
mkdir "$temp/rows"
cat >"$temp/rows/known.csv" <<'ROWS'
name,variant,rate,seed,status,final_val_top1,seconds
a,plain,1,1,done,0.20,60
a,plain,1,2,done,0.30,60
a,plain,1,3,done,0.40,60
b,deep,1,3,done,0.46,120
b,deep,1,1,done,0.21,120
b,deep,1,2,done,0.32,120
b,deep,2,1,done,0.99,120
c,deep,1,4,failed,,
ROWS
# fill_page < PAGE: the tables of that page, of those rows
fill_page() {
  cat >"$temp/page.md"
  python3 -c 'import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import study_tables as it
it.PAGE, it.ROWS = Path(sys.argv[2]), Path(sys.argv[3]); it.main([])' "$repo/scripts" "$temp/page.md" "$temp/rows"
}
fill_page <<'PAGE'
<!-- table: known by=variant where=rate=1 show=seconds,final_val_top1 against=plain published=plain:27,deep:36 -->
old
<!-- end -->
<!-- table: known by=variant where=variant=deep show=final_val_top1 across=rate:1,2 -->
<!-- end -->
<!-- table: known by=variant where=rate=1 show=seconds,time against=plain published_time=deep:1.17 -->
<!-- end -->
<!-- table: known by=variant where=variant=plain show=final_val_top1 across=rate:2,1 -->
<!-- end -->
<!-- table: none by=variant show=seconds -->
<!-- end -->
<!-- table: never optional=yes by=variant show=seconds -->
<!-- end -->
after
PAGE
expect_contains "$temp/page.md" "| plain | 3 | 1.0 ± 0.0 | 30.0 ± 10.0 |  | 27 |  |"
expect_contains "$temp/page.md" "| deep | 3 | 2.0 ± 0.0 | 33.0 ± 12.5 | +3.0 (-3.6 to +9.6) | 36 | +9.0 |"
expect_contains "$temp/page.md" "| deep | 3 | 2.0 ± 0.0 | 2.00 ± 0.00 | 1.17 |"
expect_contains "$temp/page.md" "| deep | 3 + 1 | 33.0 ± 12.5 | 99.0 | – |"
expect_contains "$temp/page.md" "Not run yet: \`none\`."
expect_contains "$temp/page.md" "| plain | 0 + 3 | – | 30.0 ± 10.0 | – |"
expect_lacks "$temp/page.md" "\`never\`"
expect_contains "$temp/page.md" "after"
! grep -q old "$temp/page.md" || fail "the old table is still there"

# Two runs that gain the same by chance have no interval.
cat >"$temp/rows/equal.csv" <<'ROWS'
name,variant,seed,status,final_val_top1
a,plain,1,done,0.20
a,plain,2,done,0.30
b,a|b,1,done,0.25
b,a|b,2,done,0.35
ROWS
fill_page <<<$'<!-- table: equal by=variant show=final_val_top1 against=plain -->\n<!-- end -->'
expect_contains "$temp/page.md" '| a\|b | 2 | 30.0 ± 7.1 | +5.0 |'

# What a table asks for and does not get is named; the page stays as it is.
while IFS=$'\t' read -r table message; do
  last_command="table $table"
  page="before"$'\n'"<!-- table: $table -->"$'\n'"old"$'\n'"<!-- end -->"
  ! fill_page <<<"$page" 2>"$errors" || fail "it was taken"
  expect_contains "$errors" "page.md:2: "
  expect_contains "$errors" "$message"
  expect_equal "$(<"$temp/page.md")" "$page"
done <<'MISTAKES'
known by=variant where=rate=11 show=seconds	no run has rate=11
known by=variant where=rat=1 show=seconds	no run has rat=1
known by=variant show=second	no column second
known show=seconds	it needs by=
known by=variant show=seconds,time	it needs against=
known by=variant show=final_val_top1 against=plane	no run is of plane
known by=variant show=final_val_top1 aginst=plain	no option aginst
known by=variant show=final_val_top1 against=plain published=deep:1	does not tell of plain
MISTAKES
last_command=
open=$'<!-- table: equal by=variant show=final_val_top1 -->\nprose\n'
! fill_page <<<"$open$open<!-- end -->" 2>"$errors" || fail "a table without an end was taken"
expect_contains "$errors" "no <!-- end -->"
expect_contains "$temp/page.md" "prose"

# A sweep that trains on 4 of 6 pictures a class, of which there are 9.
cd "$temp"
expect_exit 0 "$EFFNETV2" data synth shapes --images-per-class 9 --size 32
cat >tiny.json <<'JSON'
{"name": "tiny", "model": {"width_mult": 0.1, "depth_mult": 0.1},
 "data": {"root": "shapes", "image_size": 32, "images_per_class": 6, "split": {"val": 0.34}},
 "train": {"epochs": 1, "batch_size": 20}}
JSON
expect_exit 0 "$repo/scripts/sweep.sh" tiny.json --seeds 1,2 -o sweep
expect_exit 0 "$repo/scripts/study_rows.py" --unseen sweep rows.csv
train=$(jq -r .samples sweep/seed1/study/train/eval.json)
((train == 40)) || fail "$train training pictures"
python3 - <<'CHECK' || fail "the rows are not what was evaluated"
import csv
rows = list(csv.DictReader(open("rows.csv")))
assert [row["seed"] for row in rows] == ["1", "2"], rows
for row in rows:
    folder = f"sweep/{row['name']}/study"
    trained = {one["path"] for one in csv.DictReader(open(f"{folder}/train/predictions.csv"))}
    rest = [one for one in csv.DictReader(open(f"{folder}/all/predictions.csv")) if one["path"] not in trained]
    assert row["unseen_samples"] == str(len(rest)) == "50", row
    assert float(row["unseen_top1"]) == sum(one["correct"] == "1" for one in rest) / 50, row
CHECK
before=$(stat -c %Y.%i sweep/seed1/study/all/eval.json)
cp rows.csv once.csv
expect_exit 0 "$repo/scripts/study_rows.py" --unseen sweep rows.csv
cmp -s rows.csv once.csv || fail "other rows the second time"
[[ $(stat -c %Y.%i sweep/seed1/study/all/eval.json) == "$before" ]] || fail "evaluated again"

# A run that went on since is evaluated again.
expect_exit 0 "$EFFNETV2" resume sweep/seed1 --set train.epochs=2
expect_exit 0 "$repo/scripts/study_rows.py" --unseen sweep more.csv
[[ $(stat -c %Y.%i sweep/seed1/study/all/eval.json) != "$before" ]] || fail "not evaluated again"

# Rows of runs that are elsewhere stay where they are, and those of runs that are here are brought up to date.
sed -n '1p; 2{s/seed1/seed7/p}; 3{s/,2,done,/,2,done,9/p}' once.csv >rows.csv
expect_exit 0 "$repo/scripts/study_rows.py" --unseen sweep rows.csv
{ sed -n '1p; 2{s/seed1/seed7/p}; 3p' once.csv && sed -n 2p once.csv; } | cmp -s - rows.csv || fail "other rows: $(<rows.csv)"

# One sweep in two precisions would compare these too.
sed '2s/,fp32,/,bf16,/; 2s/seed1/seed7/' once.csv >rows.csv
expect_exit 1 "$repo/scripts/study_rows.py" --unseen sweep rows.csv
expect_contains "$errors" "one precision, not bf16 and fp32"
grep -q seed7 rows.csv || fail "rows were lost"
# which can be asked before hours of training
expect_exit 0 "$repo/scripts/study_rows.py" --expect fp32 once.csv
expect_exit 0 "$repo/scripts/study_rows.py" --expect fp32 none-yet.csv
expect_exit 1 "$repo/scripts/study_rows.py" --expect bf16 once.csv
expect_contains "$errors" "one precision, not bf16 and fp32"

# Neither are rows of two grids one sweep.
sed 's/^name,seed/name,train.rate,seed/; 2,$s/,/,0.1,/' once.csv >rows.csv
expect_exit 1 "$repo/scripts/study_rows.py" sweep rows.csv
expect_contains "$errors" "one grid"
expect_exit 1 "$repo/scripts/study_rows.py" shapes rows.csv
expect_contains "$errors" "no sweep was trained there"
expect_exit 2 "$repo/scripts/study_rows.py" sweep

# The list of sweeps needs nothing; a wrong word says how, before anything is trained.
expect_exit 0 "$repo/scripts/study.sh" --list
expect_contains "$output" "check-imagenette"
while IFS=$'\t' read -r words message; do
  read -ra words <<<"$words"
  expect_exit 2 "$repo/scripts/study.sh" "${words[@]}"
  expect_contains "$errors" "$message"
done <<'WORDS'
--tier none . .	cpu or full
--jobs none . .	a number from 1 up
.	two folders
. nothing	no folder nothing
. . causes nothing	no sweep nothing
--tier full . . causes	no sweep causes
WORDS

# The study goes on after a run that failed, says so, and keeps the rows of the others. On a copy: it writes its tables.
mkdir -p copy/docs/results
cp -r "$repo/scripts" "$repo/configs" copy/
echo page >copy/docs/results/study.md
export REAL=$EFFNETV2 FIXED=$temp/fixed
stand_in stand-in <<'SCRIPT'
if [[ $1 == train && $* == *"precision=fp32"* && $* == *"seed=2"* && ! -e $FIXED ]]; then
  echo "error: on purpose" >&2
  exit 3
fi
[[ $1 == train ]] || exec "$REAL" "$@"
exec "$REAL" "$@" --set model.width_mult=0.1 --set model.depth_mult=0.1 --set train.epochs=1 --set data.image_size=32 \
  --set data.skip_greyscale=false --set data.images_per_class=6 --set data.split.val=0.34 --set data.split.stratified=true
SCRIPT
study() { PATH=$temp/browser:$PATH EFFNETV2=$temp/stand-in copy/scripts/study.sh "$@"; }
stand_in browser/chromium <<'SCRIPT'
[[ -e $FIXED ]] || exit 1
printf '\nCHART Loss in training\t%s\n' "$(base64 <<<picture)"
SCRIPT
charts=copy/docs/results/study/precision
mkdir -p "$charts"
touch "$charts/old.png"
expect_exit 1 study --seeds 1,2 shapes shapes precision
expect_contains "$errors" "precision lacks runs and charts"
expect_equal "$(tail -n +2 "$charts.csv" | wc -l)" 3 "rows"
expect_file "$charts/old.png"
touch fixed
expect_exit 0 study --retry-failed --seeds 1,2 shapes shapes precision
expect_equal "$(tail -n +2 "$charts.csv" | wc -l)" 4 "rows"
expect_equal "$(ls "$charts")" loss-in-training.png
