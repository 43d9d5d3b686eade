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
or of the two values of `across=COLUMN:ONE,OTHER`. The column `time` is in units of the line `against`.
`published=original:27,dropout-0.6:36` adds a column and its differences, and each `published_SOMETHING=` a column of that
name. A table whose sweep is not run yet says so, or is empty where it has `optional=yes`.
"""

import argparse
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
T95 = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788, 2.1604, 2.1448,
       2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484,
       2.0452, 2.0423)
OPTIONS = {"by", "show", "against", "where", "across", "optional"}
NAMES = {"best_val_top1": "best held-out", "final_val_top1": "held-out at the end", "unseen_top1": "all unseen pictures",
         "final_train_top1": "training at the end", "final_train_eval_top1": "training at the end, eval mode",
         "best_epoch": "best epoch", "seconds": "minutes a run", "time": "time"}


class Mistake(Exception):
    """What a table asks for and its rows cannot give."""


def value(row, column):
    if row.get(column, "") == "":
        raise Mistake(f"the run {row['name']} has no {column}")
    number = float(row[column])
    return number * 100 if "top1" in column else number / 60 if column == "seconds" else number


def named(column):
    return NAMES.get(column, column)


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
    mean, deviation = statistics.mean(gains), statistics.stdev(gains)
    if deviation < 1e-9:  # equal by chance, as accuracies on few pictures are: no interval
        return f"{mean:+.1f}"
    half = (T95[len(gains) - 2] if len(gains) < len(T95) + 2 else 1.96) * deviation / math.sqrt(len(gains))
    text = f"{mean:+.1f} ({mean - half:+.1f} to {mean + half:+.1f})"
    return f"**{text}**" if abs(mean) > half else text


def grouped(rows, column):
    groups = {}
    for row in rows:
        groups.setdefault(row[column], []).append(row)
    return groups


def read_rows(path, where):
    with open(path, newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["status"] == "done"]
    for condition in filter(None, where.split(",")):
        column, wanted = condition.rsplit("=", 1)
        rows = [row for row in rows if row.get(column) == wanted]
        if not rows:
            raise Mistake(f"no run has {condition}")
    return rows


def cells_of(rows, groups, options):
    """The head and the lines of a table, without what was published."""
    by, shown, across = options["by"], options["show"].split(","), options.get("across")
    against = options.get("against") if "top1" in shown[-1] else None
    head = [by.split(".")[-1], "runs"]
    if across:
        column, values = across.split(":")
        first, second = values.split(",")
        short = column.split(".")[-1]
        head += [f"{named(shown[0])}, {short} {one}" for one in (first, second)] + [f"{second} less {first} (95 %)"]
    else:
        head += [named(column) for column in shown] + ([f"{named(shown[-1])}, less {against} (95 %)"] if against else [])
    lines = []
    for name, group in groups.items():
        line = [name, str(len(group))]
        if across:
            parts = grouped(group, column)
            pair = parts.get(first, []), parts.get(second, [])
            line[1] = " + ".join(str(len(part)) for part in pair)
            line += [spread(part, shown[0]) for part in pair]
            line.append(difference(*reversed(pair), shown[0], column))
        else:
            line += [spread(group, column) for column in shown]
            if against:
                line.append("" if name == against else difference(group, groups[against], shown[-1], by))
        lines.append(line)
    return head, lines


def check(options, rows):
    """Raises Mistake unless `rows` have all that is asked for."""
    for option in options:
        if option not in OPTIONS and not option.startswith("published"):
            raise Mistake(f"there is no option {option}")
    for option in ("by", "show"):
        if option not in options:
            raise Mistake(f"it needs {option}=")
    shown, against = options["show"].split(","), options.get("against")
    for column in [options["by"], *shown, *options.get("across", options["by"]).split(":")[:1]]:
        if column != "time" and column not in rows[0]:
            raise Mistake(f"its rows have no column {column}")
    if against is None and ("published" in options or "time" in shown):
        raise Mistake("it needs against=")
    if against is not None and all(row[options["by"]] != against for row in rows):
        raise Mistake(f"no run is of {against}, against which it compares")


def table(file, options):
    path = ROWS / f"{file}.csv"
    if not path.exists():
        return "" if options.get("optional") == "yes" else f"Not run yet: `{file}`."
    rows = read_rows(path, options.get("where", ""))
    check(options, rows)
    columns = {name.replace("_", " "): dict(pair.split(":") for pair in pairs.split(","))
               for name, pairs in options.items() if name.startswith("published")}
    published = columns.get("published", {})
    if published and options["against"] not in published:
        raise Mistake(f"published= does not tell of {options['against']}")
    groups, against = grouped(rows, options["by"]), options.get("against")
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
    cells = [[cell.replace("|", "\\|") for cell in line] for line in [head, ["---"] * len(head), *lines]]
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)


def filled(text):
    out, end = [], None
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("<!-- table: "):
            if end:
                sys.exit(f"{PAGE}:{number}: the table before has no <!-- end -->")
            file, *words = line[len("<!-- table: "):-len(" -->")].split()
            try:
                made = table(file, dict(word.split("=", 1) for word in words))
            except (Mistake, KeyError, ValueError) as error:
                sys.exit(f"{PAGE}:{number}: the table of {file}: {error}")
            out += [line, "", made, ""] if made else [line]
            end = number
        elif line == "<!-- end -->":
            end = None
            out.append(line)
        elif not end:  # what stood in a table is left out
            out.append(line)
    if end:
        sys.exit(f"{PAGE}:{end}: this table has no <!-- end -->")
    return "\n".join(out)


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    text = PAGE.read_text(encoding="utf-8")
    wanted = filled(text)
    if not parser.parse_args(words).check:
        partial = PAGE.with_suffix(".partial")
        partial.write_text(wanted, encoding="utf-8")
        partial.replace(PAGE)
    elif text != wanted:
        sys.exit("\n".join(difflib.unified_diff(text.split("\n"), wanted.split("\n"), "docs/results/study.md", "its rows",
                                                n=1, lineterm="")))


if __name__ == "__main__":
    main()
