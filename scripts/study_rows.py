#!/usr/bin/env python3
"""Brings the rows of a sweep's finished runs into a table of the study.

    scripts/study_rows.py [--unseen] sweeps/study/check-imagenette docs/results/study/check-imagenette.csv

Rows of runs that are not in the sweep stay: a sweep may be trained on several machines, some seeds on each.

--unseen adds the accuracy on all pictures that no run trained on, for sweeps over a part of each class: evaluates the
last weights of each run (EFFNETV2 names the program) on every picture of its data.root, less its own training pictures:
some thousands instead of the few that were held out, and never used for a choice. What was evaluated once is not
evaluated again.
"""

import csv
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = os.environ.get("EFFNETV2", "build/release/effnetv2")


def predictions(run, split, *options):
    """Whether the run is right, by picture."""
    folder = run / "study" / split
    if not (folder / "eval.json").exists():
        subprocess.run([PROGRAM, "eval", run, "--checkpoint", "last", "--split", split, "-o", folder, "--quiet", *options],
                       check=True, stdout=subprocess.DEVNULL)
    with open(folder / "predictions.csv", newline="", encoding="utf-8") as file:
        return {row["path"]: row["correct"] == "1" for row in csv.DictReader(file)}


def unseen(run):
    """The number of unseen pictures, the share of right answers among them."""
    trained = predictions(run, "train")
    rest = [right for path, right in predictions(run, "all", "--set", "data.images_per_class=null").items()
            if path not in trained]
    return {"unseen_samples": len(rest), "unseen_top1": sum(rest) / len(rest)}


def read(file):
    with open(file, newline="", encoding="utf-8") as stream:
        return {row["name"]: row for row in csv.DictReader(stream) if row["status"] == "done"}


def main(sweep, file, with_unseen):
    rows = read(file) if file.exists() else {}
    for name, row in read(sweep / "sweep.csv").items():
        rows[name] = {**row, **unseen(sweep / name)} if with_unseen else row
    if not rows:
        sys.exit(f"{sweep}: no run of it is finished")
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    partial = file.with_suffix(".partial")
    with open(partial, "w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows.values())
    partial.replace(file)


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--unseen"]
    if len(words) != 2 or any(word.startswith("-") for word in words):
        sys.exit(__doc__)
    main(Path(words[0]), Path(words[1]), "--unseen" in sys.argv)
