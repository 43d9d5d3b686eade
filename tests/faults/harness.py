"""What the fault tests share: small runs, the program with a fault beside it, and what a run directory must hold afterwards.

Python's standard library alone, so that they run wherever the program does.
"""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

# Every kind of file that a run writes, at the least cost: a state at each second step, EMA, events, an evaluation at the end.
TINY = {
    "name": "tiny", "device": "cpu", "threads": 1,
    "model": {
        "stages": [
            {"block": "fused_mbconv", "expand": 1, "kernel": 3, "stride": 1, "channels": 8, "layers": 1},
            {"block": "mbconv", "expand": 2, "kernel": 3, "stride": 2, "channels": 8, "layers": 2},
        ],
        "stem_channels": 8, "head_channels": 16, "init": "per_group",
    },
    "data": {"root": "shapes", "image_size": 8, "augment": {"flip": 0.5}, "workers": 1, "cache": "none",
             "split": {"val": 0.2, "test": 0.1}},
    "train": {"epochs": 3, "batch_size": 16, "optimizer": {"lr": 0.005}, "ema": {"decay": 0.9}},
    "checkpoint": {"every_steps": 2},
    "tensorboard": {"enabled": True},
}

TIMES = ("epoch_seconds", "images_per_second", "seconds")


class Failure(Exception):
    """What was promised does not hold."""


class Ended:
    """How a program ended and what it said."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __str__(self):
        return f"exit code {self.code}\n{self.out[-2000:]}{self.err[-2000:]}"


class Program:
    def __init__(self, path):
        self.path = str(Path(path).resolve())

    def start(self, *args, env=None, **options):
        """In a session of its own, so that all of it can be killed at once."""
        return subprocess.Popen([self.path, *map(str, args)], env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                start_new_session=True, **options)

    def run(self, *args, **options):
        return end_of(self.start(*args, **options))

    def must(self, *args, code=0, **options):
        ended = self.run(*args, **options)
        check(ended.code == code, f"{' '.join(map(str, args))}: expected exit code {code}", ended)
        return ended


def check(holds, what, detail=""):
    if not holds:
        raise Failure(f"{what}\n{detail}")


def check_error(ended, *codes):
    """A user's error: one of the exit codes, a line that says so, nothing of the program's inside."""
    check(ended.code in codes, f"expected exit code {' or '.join(map(str, codes))}", ended)
    check("error: " in ended.err, "no line begins with error:", ended)
    for word in ("internal error", "terminate called", "backtrace", "c10::", "what():", "Exception raised from"):
        check(word not in ended.err, f"{word!r} in an error for the user", ended)


def end_of(process, timeout=300):
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as late:
        kill_all(process)
        raise Failure(f"hangs: {process.args}") from late
    return Ended(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


def finish(process):
    ended = end_of(process)
    check(ended.code == 0, "did not finish", ended)


def kill_all(process):
    """True if it was still there."""
    alive = process.poll() is None
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.communicate()
    return alive and process.returncode == -signal.SIGKILL


@contextmanager
def scratch():
    """A folder that is removed unless something fails in it."""
    folder = Path(tempfile.mkdtemp(prefix="effnetv2-faults-"))
    try:
        yield folder
    except BaseException:
        print(f"what is left lies in {folder}", file=sys.stderr)
        raise
    shutil.rmtree(folder)


def make_tiny(program, folder, per_class=10, **changes):
    """Draws the pictures and writes the config of a small training; its path."""
    program.must("data", "synth", folder / "shapes", "--images-per-class", per_class)
    config = json.loads(json.dumps(TINY))
    for key, value in changes.items():
        config[key] = {**config[key], **value} if isinstance(value, dict) else value
    file = folder / "tiny.json"
    file.write_text(json.dumps(config, indent=2))
    return file


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def timeless(value):
    """JSON without what a clock says."""
    if isinstance(value, dict):
        return {key: timeless(inner) for key, inner in value.items() if key not in TIMES}
    return value


def rows(run):
    return [timeless(json.loads(line)) for line in (run / "metrics.jsonl").read_text().splitlines()]


def whole_records(events):
    """Whether an event file is whole records: each a length, its checksum, so many bytes, their checksum."""
    data = events.read_bytes()
    at = 0
    while at + 12 <= len(data):
        at += 12 + int.from_bytes(data[at:at + 8], "little") + 4
    return at == len(data)


def leftovers(folder):
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*")
                  if file.name.startswith(".tmp-") or re.search(r"\.(part|journal)$", file.name))


def outcome(run):
    """All that a finished run must have, whatever happened to it on the way."""
    names = sorted(str(file.relative_to(run)) for file in run.rglob("*") if file.is_file())
    check(not leftovers(run), f"left in {run}: {leftovers(run)}")
    check(whole_records(next(run.glob("events.out.tfevents.*"))), f"{run}: its event file is no whole records")
    csv = (run / "metrics.csv").read_text().splitlines()
    return {
        # a previous state is there if another was written since the start
        "names": [name for name in names if "previous" not in name],
        "best": digest(run / "checkpoints/best.safetensors"),
        "last": digest(run / "checkpoints/last.safetensors"),
        "rows": rows(run),
        "csv": [line.split(",")[:7] for line in csv],
        "result": timeless(json.loads((run / "result.json").read_text())),
        "evaluation": timeless(json.loads((run / "eval/val/eval.json").read_text())).get("top1"),
    }


def check_same(got, wanted, what):
    for key, value in wanted.items():
        other = got[key]
        if isinstance(value, list) and len(value) == len(other):
            value, other = [[a for a, b in zip(one, two) if a != b] for one, two in ((value, other), (other, value))]
        check(other == value, f"{what}: {key} differs", f"got    {other}\nwanted {value}")


def sample(items, count, seed):
    """`count` of them in their order, evenly spread with a random start; all if that is 0 or more than there are."""
    items = list(items)
    if count <= 0 or count >= len(items):
        return items
    step = len(items) / count
    first = random.Random(seed).random() * step
    return [items[int(first + i * step)] for i in range(count)]


def at_once(jobs, function, items):
    """Calls it with each item's parts, `jobs` at a time; items are made as they are needed. The first failure ends it."""
    free = threading.Semaphore(jobs)
    with ThreadPoolExecutor(jobs) as pool:
        begun = []

        def call(item):
            try:
                function(*item)
            finally:
                free.release()

        for item in items:
            free.acquire()
            for done in [one for one in begun if one.done()]:
                begun.remove(done)
                done.result()
            begun.append(pool.submit(call, item))
        for one in begun:
            one.result()


def table_row(kind, tries, survived, lost, command):
    print(f"| {kind} | {tries} | {survived} | {lost} | `{command}` |")


def main(run, parser):
    """Parses, runs, says what failed."""
    parser.add_argument("program", help="the effnetv2 to test")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    try:
        run(Program(options.program), options)
    except Failure as failure:
        print(f"FAILED: {failure}", file=sys.stderr)
        sys.exit(1)
