#!/usr/bin/env python3
"""Takes away what the program needs, one thing at a time, and looks whether it says so, keeps what it had and can go on.

    tests/faults/resources.py build/release/effnetv2 --shim build/release/libdisk_shim.so --clock build/release/libclock_shim.so
"""

import argparse
import json
import re
import resource
import shutil
import signal
import time
from pathlib import Path

import harness
from disk_model import read_record
from harness import check, check_error, check_same
from works import SHORT_WORKS, LongTraining, Training, fresh, shim

ENVIRONMENT, DATA, CHECKPOINT = 6, 3, 4


class Case:
    """One training, and what it leaves when nothing is wrong."""

    def __init__(self, program, folder, options, work):
        self.program, self.folder, self.options = program, folder, options
        self.work = work(program, folder)
        root = fresh(folder, "undisturbed")
        harness.finish(self.work.start(root))
        self.wanted = self.work.outcome(root)
        self.tries = 0

    def root(self):
        self.tries += 1
        return fresh(self.folder, f"try{self.tries}")

    def begun(self):
        """A root whose run was stopped in the middle."""
        root = self.root()
        process = self.work.start(root)
        wait_for(root / "run/metrics.jsonl", process)
        process.send_signal(signal.SIGTERM)
        check(harness.end_of(process).code in (0, 130), "does not stop")
        return root

    def mended(self, root, what):
        """What was wrong is no more: it goes on, to the same end."""
        harness.finish(self.work.start(root))
        check_same(self.work.outcome(root), self.wanted, what)
        shutil.rmtree(root)

    def some(self, items):
        """All of them, or with --few every sixth."""
        return items[::6] if self.options.few else items

    def row(self, kind):
        harness.table_row(kind, self.tries, self.tries, "nothing", "resources.py")
        self.tries = 0


def wait_for(file, process, seconds=60):
    """Until there is something in the file."""
    end = time.monotonic() + seconds
    while not (file.exists() and file.stat().st_size):
        check(process.poll() is None, "ended too early", process)
        check(time.monotonic() < end, f"{file} does not appear")
        time.sleep(0.002)


def limited(kind, value):
    return lambda: resource.setrlimit(kind, (value, value))


def failing_disk(program, options):
    """Each change that a work makes to the disk fails once: from then on, or that one alone."""
    for name, make in SHORT_WORKS.items():
        with harness.scratch() as folder:
            work = make(program, folder)
            root, record = fresh(folder, "undisturbed"), folder / "record"
            harness.finish(work.start(root, env=shim(options.shim, root, _RECORD=record)))
            wanted = work.outcome(root)
            count = len(read_record(record))
            faults = [f"{number}:{fault}" for fault in ("ENOSPC", "ENOSPC:once", "EIO:once") for number in range(count)]
            chosen = harness.sample(faults, options.sample, options.seed)
            outcomes = {0: 0, ENVIRONMENT: 0}

            def fail(number, fault):
                place = fresh(folder, f"try{number}")
                ended = harness.end_of(work.start(place, env=shim(options.shim, place, **{"": fault})))
                try:
                    if ended.code != 0:
                        check_error(ended, ENVIRONMENT)
                        check(re.search("No space left|Input/output error", ended.err), "does not say why", ended)
                    outcomes[ended.code] += 1
                    harness.finish(work.start(place))
                    check_same(work.outcome(place), wanted, "after it was mended")
                except harness.Failure as failure:
                    raise harness.Failure(f"{name}: disk fault {fault}\n{failure}\n{ended}") from failure
                shutil.rmtree(place)

            harness.at_once(options.jobs, fail, enumerate(chosen))
            check(outcomes[ENVIRONMENT] > outcomes[0] or name != "train", "hardly any fault was noticed", outcomes)
            harness.table_row(f"disk full or broken at each change while it does: {name}", len(chosen), len(chosen), "nothing",
                              "resources.py")


def read_only(case):
    """Permissions, which do not bind root unless it gives up that privilege."""
    confined = harness.Program(shutil.which("setpriv"))
    for folder, keep in (("run", 0o555), ("run/checkpoints", 0o555), ("run", 0o000)):
        root = case.begun()
        (root / folder).chmod(keep)
        ended = confined.run("--bounding-set", "-dac_override,-dac_read_search", case.program.path, "train",
                             case.work.config, "--run-dir", root / "run", "--resume")
        (root / folder).chmod(0o755)
        check_error(ended, ENVIRONMENT)
        check(str(root) in ended.err and "ermission" in ended.err, "does not name the folder and why", ended)
        case.mended(root, f"{folder} was read-only")
    case.row("read-only run directory")


def few_handles(case):
    refused = 0
    for limit in case.some(range(4, 40)):
        root = case.begun() if limit % 2 else case.root()
        ended = harness.end_of(case.work.start(root, preexec_fn=limited(resource.RLIMIT_NOFILE, limit)))
        # 127: not even the program's libraries could be opened
        if ended.code not in (0, 127):
            check_error(ended, ENVIRONMENT)
            check("open files" in ended.err, "does not say why", ended)
            refused += 1
        case.mended(root, f"{limit} file handles")
    check(refused > 0, "no limit was ever reached")
    case.row("few file handles (4 to 39)")


def starts(program, megabytes):
    """Whether the libraries that it is linked with begin at all: some wait for memory without end, before main()."""
    process = program.start("--version", preexec_fn=limited(resource.RLIMIT_AS, megabytes << 20))
    try:
        process.communicate(timeout=10)
    except harness.subprocess.TimeoutExpired:
        harness.kill_all(process)
    return process.returncode == 0


def little_memory(case):
    """Address space, as ulimit -v and batch systems bound it."""
    refused = 0
    least = next(megabytes for megabytes in range(600, 2000, 50) if starts(case.program, megabytes))
    for megabytes in case.some(range(least, least + 900, 25)):
        root = case.root()
        ended = harness.end_of(case.work.start(root, preexec_fn=limited(resource.RLIMIT_AS, megabytes << 20)))
        if ended.code != 0:
            check_error(ended, ENVIRONMENT)
            refused += 1
        case.mended(root, f"{megabytes} MB of address space")
    check(refused > 0, "no limit was ever reached")
    case.row(f"little memory ({least} MB of address space, in which it barely starts, to {least + 900})")


def small_files(case):
    """A bound on the size of files: the system's signal for it must not kill."""
    for bytes_ in case.some((1, 0, 100, 1000, 4000, 16000, 40000)):
        root = case.root()
        ended = harness.end_of(case.work.start(root, preexec_fn=limited(resource.RLIMIT_FSIZE, bytes_)))
        check_error(ended, ENVIRONMENT)
        check("File too large" in ended.err, "does not say why", ended)
        case.mended(root, f"files of {bytes_} bytes at most")
    case.row("files bounded in size (ulimit -f)")


def data_goes(case):
    """The data folder goes away, or changes, while pictures are read from it."""
    shapes = case.folder / "shapes"
    picture = next(iter(sorted(shapes.glob("*/*.png"))))
    original = picture.read_bytes()

    def vanish():
        shapes.rename(case.folder / "away")
        return lambda: (case.folder / "away").rename(shapes)

    def become_folder():
        picture.unlink()
        picture.mkdir()
        return lambda: (picture.rmdir(), picture.write_bytes(original))

    def change():
        picture.write_bytes(next(iter(sorted(shapes.glob("*/*.png"), reverse=True))).read_bytes() + b"longer")
        return lambda: picture.write_bytes(original)

    def shrink():
        picture.write_bytes(original[:len(original) // 2])
        return lambda: picture.write_bytes(original)

    for harm in (vanish, become_folder, change, shrink):
        root = case.root()
        process = case.work.start(root)
        wait_for(root / "run/metrics.jsonl", process)
        mend = harm()
        ended = harness.end_of(process)
        again = harness.end_of(case.work.start(root))
        mend()
        check_error(ended, DATA)
        check_error(again, DATA)
        case.mended(root, f"data: {harm.__name__}")
    case.row("data folder vanishes or changes in mid-run")


def folders_in_the_way(case):
    """A folder stands where a file of the run should be."""
    files = ["metrics.jsonl", "metrics.csv", "log.txt", "env.json", "config.json", "result.json", "report.html", ".lock",
             "events.out.tfevents.effnetv2", "checkpoints/state.safetensors", "checkpoints/best.safetensors",
             "checkpoints/last.safetensors", "eval"]
    for name in case.some(files):
        root = case.begun()
        file, aside = root / "run" / name, root / "aside"
        had = file.exists()
        if had:
            file.rename(aside)
        if name == "eval":
            file.write_text("a file where the folder should be")
        else:
            file.mkdir()
            (file / "someone's").write_text("not ours")
        ended = harness.end_of(case.work.start(root))
        if ended.code:
            check_error(ended, 2, CHECKPOINT, ENVIRONMENT)
            check(Path(name).name.split(".")[0] in ended.err, f"does not name {name}", ended)
        if file.is_dir() and (file / "someone's").exists():
            shutil.rmtree(file)
        elif name == "eval":
            check(file.read_text().startswith("a file"), "a file of someone else is gone")
            file.unlink()
        else:
            check(False, f"{name}: what stood in its place is gone", ended)
        if had:
            aside.rename(file)
        case.mended(root, f"a folder in the place of {name}")
    case.row("a folder in a file's place")


def clock_jumps(case):
    for _ in case.some(range(5)):
        root = case.root()
        harness.finish(case.work.start(root, env={"LD_PRELOAD": str(case.options.clock.resolve())}))
        for line in (root / "run/metrics.jsonl").read_text().splitlines():
            check(0 < json.loads(line)["epoch_seconds"] < 60, "an epoch's time follows the clock", line)
        check(0 < json.loads((root / "run/result.json").read_text())["seconds"] < 60, "the run's time follows the clock")
        case.mended(root, "the clock jumped")
    case.row("the clock jumps by days")


def run(program, options):
    if not options.only or "failing_disk" in options.only:
        failing_disk(program, options)
    for test in (read_only, few_handles, little_memory, small_files, data_goes, folders_in_the_way, clock_jumps):
        if not options.only or test.__name__ in options.only:
            with harness.scratch() as folder:
                test(Case(program, folder, options, LongTraining if test is data_goes else Training))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shim", type=Path, required=True, help="libdisk_shim.so")
    parser.add_argument("--clock", type=Path, required=True, help="libclock_shim.so")
    parser.add_argument("--sample", type=int, default=0, help="of the disk faults of each work, only so many")
    parser.add_argument("--few", action="store_true", help="of the limits, try every sixth")
    parser.add_argument("--jobs", type=int, default=2, help="how many disk faults at once")
    parser.add_argument("--only", nargs="*", help="names of the tests here")
    harness.main(run, parser)
