#!/usr/bin/env python3
"""The rows of a sweep over a part of each class, with the accuracy on all pictures that no run of it trained on.

    scripts/study_unseen.py sweeps/study/check-imagenette >rows.csv

Evaluates the last weights of each finished run (EFFNETV2 names the program) on every picture of its data.root, less its
own training pictures: some thousands instead of the few that were held out, and never used for a choice. What was
evaluated once is not evaluated again.
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


def main(sweep):
    with open(sweep / "sweep.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows = [{**row, **unseen(sweep / row["name"])} for row in rows if row["status"] == "done"]
    table = csv.DictWriter(sys.stdout, rows[0], quoting=csv.QUOTE_MINIMAL, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
