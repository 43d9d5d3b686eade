#!/usr/bin/env python3
"""Plays back a power cut after every change that a program makes to the disk, and goes on from what is left.

    tests/faults/power_loss.py build/release/effnetv2 --shim build/release/libdisk_shim.so [--work train pack report] [--sample N]

Each cut is played back as a disk might have taken it: only the process died; only what was synced is there; names without bytes;
bytes without names; three random mixtures. After each, the same command must end with the same bits, go on from no earlier than the last state that was
synced, and leave no temporary file.
"""

import argparse
import hashlib
import json
import re
import shutil
from pathlib import Path

import harness
from disk_model import Disk, read_record
from harness import check, check_same
from works import SHORT_WORKS, fresh, shim

KINDS = ("killed", "synced", "names", "bytes", "mixed 1", "mixed 2", "mixed 3")


def cuts(changes, root):
    """What is on the disk after each change in each way, once: (description, contents, what is surely there)."""
    disk, seen = Disk(root), set()
    for number, change in enumerate([None, *changes]):
        if change:
            disk.apply(change)
        surely = disk.after_power_cut("synced")
        for kind in KINDS:
            word, _, seed = kind.partition(" ")
            contents = disk.contents() if kind == "killed" else disk.after_power_cut(word, f"{number} {seed}")
            if (key := key_of(contents)) not in seen:
                seen.add(key)
                yield f"{kind}, change {number} ({change})", contents, surely


def key_of(contents):
    key = hashlib.sha256()
    for path, data in sorted(contents.items()):
        key.update(f"{path} {'folder' if data is None else len(data)}\n".encode())
        key.update(data or b"")
    return key.digest()


def lay_out(contents, root, place):
    """Writes them below `place` instead of `root`."""
    for path, data in contents.items():
        target = place / Path(path).relative_to(root)
        if data is None:
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.write_bytes(data)


def step_of(contents, run):
    """Optimizer steps in the state, 0 without one."""
    data = contents.get(f"{run}/checkpoints/state.safetensors")
    if not data:
        return 0
    header = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])
    state = json.loads(header["__metadata__"]["state"])
    return state["epoch"] * harness.rows(run)[0]["step"] + state["batch"]


def check_progress(root, surely, original):
    """A training goes on from no earlier step than was on the disk."""
    at_least = step_of(surely, original / "run")
    log = root / "run/log.txt"
    text = log.read_text() if log.exists() else ""
    resumed = [int(step) for step in re.findall(r"resumed at step (\d+)", text)]
    # a finished run is not resumed at all
    check(not at_least or not text or resumed and resumed[0] >= at_least,
          f"went on at {resumed}, but step {at_least} was on the disk", text)


def try_work(name, program, options):
    with harness.scratch() as folder:
        work = SHORT_WORKS[name](program, folder)
        root, record = fresh(folder, "disk"), folder / "record"
        harness.finish(work.start(root, env=shim(options.shim, root, _RECORD=record)))
        changes = read_record(record)
        wanted = work.outcome(root)
        check_model(changes, root)
        count = sum(1 for _ in cuts(changes, str(root)))
        chosen = set(harness.sample(range(count), options.sample, options.seed))

        def play_back(number, cut):
            what, contents, surely = cut
            place = fresh(folder, f"cut{number}")
            lay_out(contents, root, place)
            try:
                harness.finish(work.start(place))
                check_same(work.outcome(place), wanted, what)
                check_progress(place, surely, root)
            except harness.Failure as failure:
                raise harness.Failure(f"{name}: power cut: {what}\n{failure}") from failure
            shutil.rmtree(place)

        harness.at_once(options.jobs, play_back,
                        (one for one in enumerate(cuts(changes, str(root))) if one[0] in chosen))
        harness.table_row(f"power cut while it does: {name} ({len(changes)} changes)", len(chosen), len(chosen), "nothing",
                          f"power_loss.py --work {name}")


def check_model(changes, root):
    """The shim saw everything if the model of the disk ends as the disk does."""
    disk = Disk(str(root))
    for change in changes:
        disk.apply(change)
    model, real = set(disk.names), {str(root)} | {str(file) for file in root.rglob("*") if file.name != "log.txt"}
    check(model == real, "the shim missed a change of names", sorted(model ^ real))
    for path, data in disk.contents().items():
        check(data is None or Path(path).read_bytes() == data, f"the shim missed what was written to {path}")


def run(program, options):
    for name in options.work or SHORT_WORKS:
        try_work(name, program, options)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shim", type=Path, required=True, help="libdisk_shim.so")
    parser.add_argument("--sample", type=int, default=0, help="play back only so many, evenly spread")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once")
    parser.add_argument("--work", nargs="*", choices=SHORT_WORKS, help="which, default all")
    harness.main(run, parser)
