#!/usr/bin/env bash
# The study's scripts: what the page says is what its rows give, intervals are right, and unseen pictures were unseen.
# shellcheck source=tests/cli/lib.sh
source "$(dirname "$0")/lib.sh"
EFFNETV2=$(realpath "${1:?the program}")
export EFFNETV2 PYTHONDONTWRITEBYTECODE=1
command -v python3 >/dev/null || skip "there is no python3"

expect_exit 0 "$repo/scripts/study_tables.py" --check
expect_exit 1 "$repo/scripts/study_tables.py" --chekc

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
cat >"$temp/page.md" <<'PAGE'
<!-- table: known by=variant where=rate=1 show=seconds,final_val_top1 against=plain published=plain:27,deep:36 -->
old
<!-- end -->
<!-- table: known by=variant where=variant=deep show=final_val_top1 across=rate -->
<!-- end -->
<!-- table: known by=variant where=rate=1 show=seconds,time against=plain published_time=deep:1.17 -->
<!-- end -->
<!-- table: known by=variant where=variant=plain show=final_val_top1 across=rate -->
<!-- end -->
<!-- table: none by=variant show=seconds -->
<!-- end -->
after
PAGE
expect_exit 0 python3 -c 'import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import study_tables as it
it.PAGE, it.ROWS = Path(sys.argv[2]), Path(sys.argv[3]); it.main([])' "$repo/scripts" "$temp/page.md" "$temp/rows"
expect_contains "$temp/page.md" "| plain | 3 | 1.0 ± 0.0 | 30.0 ± 10.0 |  | 27 |  |"
expect_contains "$temp/page.md" "| deep | 3 | 2.0 ± 0.0 | 33.0 ± 12.5 | +3.0 (-3.6 to +9.6) | 36 | +9.0 |"
expect_contains "$temp/page.md" "| deep | 3 | 2.0 ± 0.0 | 2.00 ± 0.00 | 1.17 |"
expect_contains "$temp/page.md" "| deep | 4 | 33.0 ± 12.5 | 99.0 | – |"
expect_contains "$temp/page.md" "Not run yet: \`none\`."
expect_contains "$temp/page.md" "Not run yet: \`known\` but with rate 1."
expect_contains "$temp/page.md" "after"
! grep -q old "$temp/page.md" || fail "the old table is still there"

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

# Rows of runs that are elsewhere stay where they are, and those of runs that are here are brought up to date.
sed -n '1p; 2{s/seed1/seed7/p}; 3{s/,2,done,/,2,done,9/p}' once.csv >rows.csv
expect_exit 0 "$repo/scripts/study_rows.py" --unseen sweep rows.csv
{ sed -n '1p; 2{s/seed1/seed7/p}; 3p' once.csv && sed -n 2p once.csv; } | cmp -s - rows.csv || fail "other rows: $(<rows.csv)"

# One sweep in two precisions would compare these too.
sed '2s/,fp32,/,bf16,/; 2s/seed1/seed7/' once.csv >rows.csv
expect_exit 1 "$repo/scripts/study_rows.py" --unseen sweep rows.csv
expect_contains "$errors" "one precision, not bf16 and fp32"
grep -q seed7 rows.csv || fail "rows were lost"

# The list of sweeps needs nothing; a wrong word says how.
expect_exit 0 "$repo/scripts/study.sh" --list
expect_contains "$output" "check-imagenette"
expect_exit 2 "$repo/scripts/study.sh" --tier none . .
expect_contains "$errors" "cpu or full"
