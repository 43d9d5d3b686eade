#!/usr/bin/env python3
"""Fills the tables of docs/results/study.md from the rows of its sweeps, docs/results/study/*.csv.

    scripts/study_tables.py            # writes them
    scripts/study_tables.py --check    # exit code 1 if one is not what its rows give

A table stands between two lines such as

    <!-- table: check-imagenette by=variant show=final_val_top1,unseen_top1 against=original where=train.scheduler.type=none -->
    <!-- end -->

and has a line for each value of the column `by`, with mean and sample standard deviation of each column in `show` over the
runs (accuracies in percent). With `across=COLUMN` the only column in `show` is told apart by the values of that one.
A difference is that of pairs of runs which share the seed and whatever else was varied: its mean with the 95 % interval
by Student's t, bold where that leaves out 0; of the last column in `show`, if an accuracy, from the line `against`,
or of the two values of `across`. The column `time` is in units of that line's mean. `published=original:27,dropout-0.6:36`
adds a column and its differences, and each `published_SOMETHING=` a column of that name. A table whose rows are not there yet says so.
"""

import csv
import difflib
import math
import statistics
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
PAGE = REPO / "docs/results/study.md"
ROWS = REPO / "docs/results/study"

# two-sided 95 % of Student's t, by degrees of freedom from 1 on
T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
       2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)
NAMES = {"best_val_top1": "best held-out", "final_val_top1": "held-out at the end", "unseen_top1": "all unseen pictures",
         "final_train_top1": "training at the end", "final_train_eval_top1": "training at the end, eval mode",
         "best_epoch": "best epoch", "seconds": "minutes a run", "time": "time"}


def value(row, column):
    number = float(row[column])
    return number * 100 if "top1" in column else number / 60 if column == "seconds" else number


def spread(rows, column):
    values = [value(row, column) for row in rows]
    if not values:
        return "–"
    digits = 2 if column == "time" else 1
    return f"{statistics.mean(values):.{digits}f}" + (f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else "")


def difference(rows, base, column, compared):
    """Of `rows` from `base`; `compared` is the column in which the two of a pair differ."""
    def pair(row):
        varied = list(row)[1:list(row).index("status")]
        return tuple(row[name] for name in varied if name != compared)
    of_pair = {pair(row): value(row, column) for row in base}
    gains = [value(row, column) - of_pair[pair(row)] for row in rows if pair(row) in of_pair]
    if len(gains) < 2:
        return "–"
    mean, half = statistics.mean(gains), T95[len(gains) - 2] * statistics.stdev(gains) / math.sqrt(len(gains))
    text = f"{mean:+.1f} ({mean - half:+.1f} to {mean + half:+.1f})"
    return f"**{text}**" if abs(mean) > half else text


def grouped(rows, column):
    groups = {}
    for row in rows:
        groups.setdefault(row[column], []).append(row)
    return groups


def read_rows(file, where):
    path = ROWS / f"{file}.csv"
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["status"] == "done"]
    for condition in filter(None, where.split(",")):
        column, wanted = condition.rsplit("=", 1)
        rows = [row for row in rows if row[column] == wanted]
    return rows


def cells_of(rows, groups, options):
    """The head and the lines of a table, without what was published."""
    by, shown, across = options["by"], options["show"].split(","), options.get("across")
    against = options.get("against") if "top1" in shown[-1] else None
    head = [by.split(".")[-1], "runs"]
    if across:
        first, second = values = list(grouped(rows, across))
        short = across.split(".")[-1]
        head += [f"{NAMES[shown[0]]}, {short} {one}" for one in values] + [f"{second} less {first} (95 %)"]
    else:
        head += [NAMES[column] for column in shown] + ([f"{NAMES[shown[-1]]}, less {against} (95 %)"] if against else [])
    lines = []
    for name, group in groups.items():
        line = [name, str(len(group))]
        if across:
            parts = grouped(group, across)
            line += [spread(parts.get(one, []), shown[0]) for one in values]
            line.append(difference(parts.get(second, []), parts.get(first, []), shown[0], across))
        else:
            line += [spread(group, column) for column in shown]
            if against:
                line.append("" if name == against else difference(group, groups[against], shown[-1], by))
        lines.append(line)
    return head, lines


def table(file, options):
    rows = read_rows(file, options.get("where", ""))
    columns = {name.replace("_", " "): dict(pair.split(":") for pair in pairs.split(","))
               for name, pairs in options.items() if name.startswith("published")}
    published = columns.get("published", {})
    groups, against, across = grouped(rows, options["by"]), options.get("against"), options.get("across")
    if not groups or against and against not in groups:
        return f"Not run yet: `{file}`."
    if across and len(values := grouped(rows, across)) < 2:
        return f"Not run yet: `{file}` but with {across} {', '.join(values)}."
    order = dict.fromkeys([against, *(name for known in columns.values() for name in known), *groups])
    groups = {name: groups[name] for name in order if name in groups}
    if "time" in options["show"].split(","):
        once = statistics.mean(value(row, "seconds") for row in groups[against])
        for row in rows:
            row["time"] = value(row, "seconds") / once
    head, lines = cells_of(rows, groups, options)
    for column, known in columns.items():
        head.append(column)
        for line in lines:
            line.append(known.get(line[0], ""))
    if published:
        head.append(f"published, less {against}")
        for line in lines:
            known = line[0] in published and line[0] != against
            line.append(f"{float(published[line[0]]) - float(published[against]):+.1f}" if known else "")
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *lines])


def filled(text):
    out, lines = [], iter(text.split("\n"))
    for line in lines:
        out.append(line)
        if not line.startswith("<!-- table: "):
            continue
        file, *words = line[len("<!-- table: "):-len(" -->")].split()
        out += ["", table(file, dict(word.split("=", 1) for word in words)), ""]
        if "<!-- end -->" not in lines:  # passes over what stood there
            sys.exit(f"{PAGE}: no <!-- end --> after {line}")
        out.append("<!-- end -->")
    return "\n".join(out)


def main(words):
    if words not in ([], ["--check"]):
        sys.exit(__doc__)
    text = PAGE.read_text(encoding="utf-8")
    wanted = filled(text)
    if not words:
        PAGE.write_text(wanted, encoding="utf-8")
    elif text != wanted:
        sys.exit("\n".join(difflib.unified_diff(text.split("\n"), wanted.split("\n"), "docs/results/study.md", "its rows",
                                                n=1, lineterm="")))


if __name__ == "__main__":
    main(sys.argv[1:])
