#!/usr/bin/env python3
"""Brings the rows of a sweep's finished runs into a table of the study.

    scripts/study_rows.py [--unseen] sweeps/study/check-imagenette docs/results/study/check-imagenette.csv
    scripts/study_rows.py --expect fp32 docs/results/study/check-imagenette.csv

Rows of runs that are not in the sweep stay: a sweep may be trained on several machines, some seeds on each, but not over
another grid nor in several precisions, unless these are what it compares. --expect only asks, before a training, whether
rows of that precision would fit.

--unseen adds the accuracy on all pictures that no run trained on, for sweeps over a part of each class: evaluates the
last weights of each run (EFFNETV2 names the program) on every picture of its data.root, less its own training pictures:
some thousands instead of the few that were held out, and never used for a choice. What was evaluated since the run
ended is not evaluated again.

Exit code: 0 done, 1 the rows do not fit or cannot be had, 2 usage.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("EFFNETV2", REPO / "build/release/effnetv2")


def predictions(run, split, *options):
    """Whether the run is right, by picture."""
    folder = run / "study" / split
    done = folder / "eval.json"
    if not done.exists() or done.stat().st_mtime < (run / "result.json").stat().st_mtime:
        subprocess.run([PROGRAM, "eval", run, "--checkpoint", "last", "--split", split, "-o", folder, "--quiet", *options],
                       check=True, stdout=subprocess.DEVNULL)
    with open(folder / "predictions.csv", newline="", encoding="utf-8") as file:
        return {row["path"]: row["correct"] == "1" for row in csv.DictReader(file)}


def unseen(run):
    """The number of unseen pictures, the share of right answers among them."""
    trained = predictions(run, "train")
    rest = [right for path, right in predictions(run, "all", "--set", "data.images_per_class=null").items()
            if path not in trained]
    if not rest:
        sys.exit(f"{run}: it trained on every picture of its data.root; none is unseen")
    return {"unseen_samples": len(rest), "unseen_top1": sum(rest) / len(rest)}


def read(file):
    with open(file, newline="", encoding="utf-8") as stream:
        return {row["name"]: row for row in csv.DictReader(stream) if row["status"] == "done"}


def grid(row):
    """The columns that its sweep varies: those between the name and the status."""
    columns = list(row)
    return tuple(columns[1:columns.index("status")])


def refuse_unfit(rows, file):
    """Ends the program unless these can be the rows of one table."""
    grids = {grid(row) for row in rows}
    if len(grids) > 1:
        sys.exit(f"{file}: some of its rows vary {', some '.join(' '.join(names) for names in sorted(grids))}; "
                 "one sweep has one grid")
    precisions = sorted({row["precision"] for row in rows})
    if len(precisions) > 1 and "precision" not in grids.pop():
        sys.exit(f"{file}: the rows of one sweep must have one precision, not {' and '.join(precisions)}; "
                 "train the rest as these were, or take them out")


def merge(sweep, file, with_unseen):
    rows = read(file) if file.exists() else {}
    if not (sweep / "sweep.csv").exists():
        sys.exit(f"{sweep}: no sweep was trained there")
    finished = read(sweep / "sweep.csv")
    for name, row in finished.items():
        env = json.loads((sweep / name / "env.json").read_text(encoding="utf-8"))
        row.setdefault("precision", env["precision"])
    refuse_unfit([*rows.values(), *finished.values()], file)
    if not finished and not rows:
        sys.exit(f"{sweep}: no run of it is finished")
    if with_unseen:
        for name, row in finished.items():
            row.update(unseen(sweep / name))
    rows.update(finished)
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    partial = file.with_suffix(".partial")
    with open(partial, "w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows.values())
    partial.replace(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--unseen", action="store_true")
    parser.add_argument("--expect")
    parser.add_argument("paths", nargs="+", type=Path)
    given = parser.parse_args()
    if len(given.paths) != (1 if given.expect else 2):
        parser.error("a sweep and a table of rows are needed; with --expect only the table")
    if given.expect:
        rows = list(read(given.paths[0]).values()) if given.paths[0].exists() else []
        refuse_unfit([*rows, *({**row, "precision": given.expect} for row in rows)], given.paths[0])
    else:
        merge(*given.paths, given.unseen)


if __name__ == "__main__":
    try:
        main()
    except (OSError, KeyError, ValueError, subprocess.CalledProcessError) as error:
        sys.exit(f"study_rows: {type(error).__name__}: {error}")
