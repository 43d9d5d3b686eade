#!/usr/bin/env python3
"""Much at once and for long: 200,000 files, 5,000 classes, more workers than cores, 10,000 epochs.

    tests/faults/load.py build/release/effnetv2 [--files 200000] [--classes 5000] [--epochs 10000]

Memory and open files are read from /proc while the program works: neither may grow, nor may it become slower.
"""

import argparse
import json
import os
import statistics
import struct
import threading
import time
import zlib
from pathlib import Path

import harness
from harness import check

MEBIBYTE = 1 << 20


def png(colour, side=8):
    """The bytes of a picture of one colour."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = (b"\0" + bytes(colour) * side) * side
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class Watch(threading.Thread):
    """Resident memory and open files of a process, some times a second."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.proc = Path("/proc") / str(pid)
        self.memory, self.handles = [], []

    def run(self):
        try:
            while True:
                pages = int((self.proc / "statm").read_text().split()[1])
                if pages == 0:
                    break  # it is ending
                self.memory.append(pages * os.sysconf("SC_PAGE_SIZE"))
                self.handles.append(len(os.listdir(self.proc / "fd")))
                time.sleep(0.1)
        except (OSError, IndexError):
            pass  # it has ended


def watched(program, *args):
    process = program.start(*args)
    watch = Watch(process.pid)
    watch.start()
    ended = harness.end_of(process, timeout=3600)
    watch.join()
    check(ended.code == 0, " ".join(map(str, args)), ended)
    return watch


def growth(series, skip=0.2):
    """How much more the last fifth is than the first after the start, of a fraction `skip`."""
    rest = series[int(len(series) * skip):]
    fifth = max(len(rest) // 5, 1)
    return statistics.mean(rest[-fifth:]) / statistics.mean(rest[:fifth]) - 1


def many_files(program, options):
    with harness.scratch() as folder:
        shapes = folder / "many"
        each = options.files // options.classes
        for number in range(options.classes):
            place = shapes / f"class{number:05}"
            place.mkdir(parents=True)
            data = png((number % 256, number // 256 * 12, 128))
            for image in range(each):
                (place / f"{image:05}.png").write_bytes(data)
        config = harness.make_tiny(program, folder, data={"root": str(shapes), "workers": 8, "cache": "none",
                                                          "split": {"val": 0.1, "test": 0.0}},
                                   train={"epochs": 6, "batch_size": 512}, checkpoint={"every_steps": 1000})
        watch = watched(program, "train", config, "--run-dir", folder / "run", "--quiet")
        epochs = [json.loads(line) for line in (folder / "run/metrics.jsonl").open()]
        check(len(epochs) == 6, "not six epochs", epochs)
        # the evaluation and the page after the last epoch are part of it
        peak, usual = max(watch.memory) / MEBIBYTE, statistics.median(watch.memory) / MEBIBYTE
        check(peak < 1.5 * usual, f"{peak:.0f} MiB at most, where {usual:.0f} are usual")
        speed = epochs[-1]["images_per_second"]
        print(f"| {options.files:,} files, {options.classes:,} classes, 8 workers, 6 epochs | {peak:.0f} MiB at most, "
              f"{usual:.0f} half of the time | {max(watch.handles)} open files at most | {speed:,.0f} images/s | `load.py` |")


def many_epochs(program, options):
    with harness.scratch() as folder:
        config = harness.make_tiny(program, folder, per_class=4, data={"cache": "ram", "split": {"val": 0.25, "test": 0.0}},
                                   train={"epochs": options.epochs, "batch_size": 16},
                                   checkpoint={"every_steps": None, "every_epochs": 100})
        watch = watched(program, "train", config, "--run-dir", folder / "run", "--quiet")
        seconds = [json.loads(line)["epoch_seconds"] for line in (folder / "run/metrics.jsonl").open()]
        check(len(seconds) == options.epochs, "epochs are missing", len(seconds))
        rise, slower = growth(watch.memory), growth(seconds)
        check(rise < 0.05, f"memory grew by {rise:.1%}")
        check(growth(watch.handles) < 0.01, "open files grew", watch.handles[-1])
        check(slower < 0.25, f"the last epochs take {slower:.0%} longer than the first")
        print(f"| {options.epochs:,} epochs of a tiny network | {max(watch.memory) / MEBIBYTE:.0f} MiB at most, {rise:+.1%} from the "
              f"first fifth to the last | {max(watch.handles)} open files at most | epochs {slower:+.1%} longer | `load.py` |")


def run(program, options):
    many_epochs(program, options)
    many_files(program, options)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--classes", type=int, default=5_000)
    parser.add_argument("--epochs", type=int, default=10_000)
    harness.main(run, parser)
