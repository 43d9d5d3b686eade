#!/usr/bin/env python3
"""Brings the rows of a sweep's finished runs into a table of the study.

    scripts/study_rows.py [--unseen] sweeps/study/check-imagenette docs/results/study/check-imagenette.csv

Rows of runs that are not in the sweep stay: a sweep may be trained on several machines, some seeds on each, but not in
several precisions, unless these are what it compares.

--unseen adds the accuracy on all pictures that no run trained on, for sweeps over a part of each class: evaluates the
last weights of each run (EFFNETV2 names the program) on every picture of its data.root, less its own training pictures:
some thousands instead of the few that were held out, and never used for a choice. What was evaluated once is not
evaluated again.
"""

import csv
import json
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


def trained_in(run):
    return json.loads((run / "env.json").read_text(encoding="utf-8"))["precision"]


def main(sweep, file, with_unseen):
    rows = read(file) if file.exists() else {}
    finished = read(sweep / "sweep.csv")
    compares_precisions = any("precision" in row for row in finished.values())
    for name, row in finished.items():
        rows[name] = {**row, "precision": trained_in(sweep / name)}
    precisions = sorted({row["precision"] for row in rows.values()})
    if len(precisions) > 1 and not compares_precisions:
        sys.exit(f"{file}: the rows of one sweep must have one precision, not {' and '.join(precisions)}; "
                 f"train {sweep} as the others were, or take their rows out")
    if not rows:
        sys.exit(f"{sweep}: no run of it is finished")
    if with_unseen:
        for name in finished:
            rows[name].update(unseen(sweep / name))
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
