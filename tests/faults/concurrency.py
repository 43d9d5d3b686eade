#!/usr/bin/env python3
"""Several processes on one run directory, and readers of files while they are written.

    tests/faults/concurrency.py build/release/effnetv2 [--rounds 20]
"""

import argparse
import json
import shutil
import signal

import harness
from harness import check, check_error, check_same
from works import WORKS, fresh

ENVIRONMENT = 6


def many_starts(program, options):
    """Of processes started at once on one run directory, one trains and the others are told so."""
    with harness.scratch() as folder:
        work = WORKS["train"](program, folder)
        root = fresh(folder, "undisturbed")
        harness.finish(work.start(root))
        wanted = work.outcome(root)
        starts = turned_away = 0
        for number in range(options.rounds):
            root = fresh(folder, f"round{number}")
            ended = [harness.end_of(process) for process in [work.start(root) for _ in range(4)]]
            trained = [one for one in ended if one.code == 0]
            check(trained, "no process trained", "\n".join(map(str, ended)))
            for one in ended:
                if one.code:
                    check_error(one, ENVIRONMENT)
                    check("in use by another process" in one.err, "does not say who has the run", one)
                    turned_away += 1
            starts += len(ended)
            check_same(work.outcome(root), wanted, "several processes on one run directory")
            shutil.rmtree(root)
        check(turned_away > 0, "no two processes ever met")
        harness.table_row(f"four processes on one run directory ({turned_away} turned away)", starts, starts, "nothing",
                          "concurrency.py")


class Reader:
    """Reads what a run writes, as a plotting script would; each file must be whole whenever it is looked at."""

    def __init__(self, run):
        self.run = run
        self.reads = 0
        self.rows = 0

    def look(self):
        for name, whole in (("metrics.jsonl", self.jsonl), ("metrics.csv", self.csv), ("config.json", json.loads),
                            ("env.json", json.loads), ("result.json", json.loads), ("report.html", self.html)):
            try:
                text = (self.run / name).read_text(encoding="utf-8")
            except FileNotFoundError:
                continue
            self.reads += 1
            try:
                whole(text)
            except (ValueError, KeyError) as error:
                raise harness.Failure(f"{name}: not whole while it is written: {error}\n{text[-300:]}") from error
        for name in ("best", "last", "state"):
            try:
                data = (self.run / f"checkpoints/{name}.safetensors").read_bytes()
            except FileNotFoundError:
                continue
            self.reads += 1
            header = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])
            end = max(entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__")
            check(len(data) == 8 + int.from_bytes(data[:8], "little") + end, f"{name}.safetensors: not whole")

    def jsonl(self, text):
        epochs = [json.loads(line)["epoch"] for line in text.splitlines()]
        check(not text or text.endswith("\n"), "metrics.jsonl: ends within a line", text[-200:])
        check(epochs == list(range(1, len(epochs) + 1)), "metrics.jsonl: epochs out of order", epochs)
        check(len(epochs) >= self.rows, "metrics.jsonl: rows went away", epochs)
        self.rows = len(epochs)

    @staticmethod
    def csv(text):
        widths = {line.count(",") for line in text.splitlines()}
        check(len(widths) <= 1 and (not text or text.endswith("\n")), "metrics.csv: not whole lines", text[-200:])

    @staticmethod
    def html(text):
        check(text.rstrip().endswith("</html>"), "report.html: not whole", text[-200:])


def readers(program, options):
    with harness.scratch() as folder:
        config = harness.make_tiny(program, folder, train={"epochs": 60})
        run = folder / "run"
        reader = Reader(run)
        process = program.start("train", config, "--run-dir", run, "--quiet")
        # the training's own verbs are readers too
        others = []
        while process.poll() is None:
            reader.look()
            if (run / "checkpoints/best.safetensors").exists() and len(others) < 6:
                verb = (["eval", run, "--quiet"], ["report", run, "-o", folder / "page.html", "--quiet"],
                        ["convert", run, folder / "weights.pth", "--quiet"])[len(others) % 3]
                others.append(program.run(*verb))
        check(harness.end_of(process).code == 0, "training failed beside its readers")
        reader.look()
        check(reader.rows == 60, "the reader missed rows", reader.rows)
        for ended in others:
            check(ended.code == 0, "a verb failed beside the training", ended)
        harness.table_row("files read while they are written", reader.reads, reader.reads, "nothing", "concurrency.py")


def signals(program, options):
    """Signals in a hail: each kind of stop ends with a whole state, and 130 or the signal."""
    with harness.scratch() as folder:
        work = WORKS["train"](program, folder)
        root = fresh(folder, "undisturbed")
        harness.finish(work.start(root))
        wanted = work.outcome(root)
        sent = 0
        for number in range(options.rounds):
            root = fresh(folder, f"round{number}")
            process = work.start(root)
            for _ in range(1 + number % 4):
                try:
                    process.wait(timeout=0.15 + 0.07 * (number % 7))
                    break
                except harness.subprocess.TimeoutExpired:
                    process.send_signal((signal.SIGINT, signal.SIGTERM)[sent % 2])
                    sent += 1
            ended = harness.end_of(process)
            check(ended.code in (0, 130, -signal.SIGINT, -signal.SIGTERM), "a signal ends it otherwise", ended)
            harness.finish(work.start(root))
            check_same(work.outcome(root), wanted, "after signals")
            shutil.rmtree(root)
        harness.table_row("SIGINT and SIGTERM, one to four in a row", sent, sent, "nothing", "concurrency.py")


def run(program, options):
    many_starts(program, options)
    readers(program, options)
    signals(program, options)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    harness.main(run, parser)
