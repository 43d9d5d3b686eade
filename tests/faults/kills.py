#!/usr/bin/env python3
"""Kills the program at random moments, again and again, and looks whether anything was lost.

    tests/faults/kills.py build/release/effnetv2 --kills 500 [--work train pack report sweep]

Each round begins anew, is killed (SIGKILL, all of its processes) once to four times at random moments, then is let finish: it must end with the
bits of a round that nobody killed, and no temporary file may be left.
"""

import argparse
import os
import random
import shutil
import signal
import time
from pathlib import Path

import harness
from harness import check_same
from works import WORKS, fresh

# of all kills
SHARES = {"train": 0.5, "pack": 0.2, "report": 0.1, "sweep": 0.2}


def descendants(pid):
    """All processes below it: a sweep starts each training in a session of its own."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(words[1]), []).append(int(stat.parent.name))
    found, todo = [], [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


def kill_tree(process):
    """True if it was alive and is dead by this."""
    below = descendants(process.pid)
    killed = harness.kill_all(process)
    for pid in below:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return killed


def try_work(name, program, options, kills):
    chance = random.Random(f"{options.seed} {name}")
    with harness.scratch() as folder:
        work = WORKS[name](program, folder)
        began = time.monotonic()
        root = fresh(folder, "undisturbed")
        harness.finish(work.start(root))
        whole = time.monotonic() - began
        wanted = work.outcome(root)
        killed = rounds = 0
        while killed < kills:
            rounds += 1
            root = fresh(folder, "round")
            moments = [chance.uniform(0, 1.05 * whole) for _ in range(chance.randint(1, 4))]
            for moment in moments:
                process = work.start(root)
                time.sleep(moment)
                killed += kill_tree(process)
            harness.finish(work.start(root))
            check_same(work.outcome(root), wanted, f"{name}: after kills at {moments} s of {whole:.2f}")
            shutil.rmtree(root)
        harness.table_row(f"killed while it does: {name} ({rounds} rounds)", killed, killed, "nothing", f"kills.py --kills {options.kills}")


def run(program, options):
    works = options.work or list(SHARES)
    whole = sum(SHARES[name] for name in works)
    for name in works:
        try_work(name, program, options, round(options.kills * SHARES[name] / whole))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500, help="how many, in all")
    parser.add_argument("--work", nargs="*", choices=SHARES, help="which, default all")
    harness.main(run, parser)
