"""What is disturbed: each work starts in a folder that is empty or that an earlier start left, and has one right outcome."""

import csv
from pathlib import Path

import harness
from harness import check

REPO = Path(__file__).resolve().parents[2]


class Training:
    """A whole training, with everything that it writes."""

    epochs = 3

    def __init__(self, program, folder):
        self.program = program
        self.config = harness.make_tiny(program, folder, train={"epochs": self.epochs})

    def start(self, root, **options):
        return self.program.start("train", self.config, "--run-dir", root / "run", "--resume", "--quiet", **options)

    def outcome(self, root):
        return harness.outcome(root / "run")


class LongTraining(Training):
    """One in the midst of which something can happen."""

    epochs = 40


class Packing:
    """A pack of a thousand pictures."""

    per_class = 100

    def __init__(self, program, folder):
        self.program = program
        self.config = harness.make_tiny(program, folder, per_class=self.per_class)

    def start(self, root, **options):
        return self.program.start("data", "pack", self.config, "--set", f"data.cache_dir={root}", "data.image_size=48",
                                  "--quiet", **options)

    def outcome(self, root):
        files = sorted(root.iterdir())
        check([file.suffix for file in files] == [".pack"], f"not one pack, but {files}")
        return {"pack": harness.digest(files[0])}


class ShortPacking(Packing):
    """A pack of a hundred, each change of which can be looked at."""

    per_class = 10


class Report:
    """The report of a finished run."""

    def __init__(self, program, folder):
        self.program = program
        self.run = folder / "finished"
        program.must("train", harness.make_tiny(program, folder), "--run-dir", self.run, "--quiet")

    def start(self, root, **options):
        return self.program.start("report", self.run, "-o", root / "report.html", "--quiet", **options)

    def outcome(self, root):
        check(not harness.leftovers(root), f"left: {harness.leftovers(root)}")
        return {"report": harness.digest(root / "report.html")}


class Sweep:
    """Four trainings, two at once."""

    def __init__(self, program, folder):
        self.script = harness.Program(REPO / "scripts/sweep.sh")
        self.environment = {"EFFNETV2": program.path}
        self.config = harness.make_tiny(program, folder)

    def start(self, root, **options):
        return self.script.start(self.config, "-o", root / "sweep", "--grid", "train.optimizer.lr=0.001,0.01",
                                 "--seeds", "1,2", "--jobs", 2, "--threads", 1, env=self.environment, **options)

    def outcome(self, root):
        sweep = root / "sweep"
        check(not harness.leftovers(sweep), f"left: {harness.leftovers(sweep)}")
        with open(sweep / "sweep.csv", encoding="utf-8") as file:
            table = [{key: value for key, value in row.items() if "second" not in key} for row in csv.DictReader(file)]
        return {"table": table,
                "weights": [harness.digest(file) for file in sorted(sweep.glob("*/checkpoints/*st.safetensors"))]}


WORKS = {"train": Training, "pack": Packing, "report": Report, "sweep": Sweep}
SHORT_WORKS = {"train": Training, "pack": ShortPacking, "report": Report}


def shim(library, root, **variables):
    """The environment in which disk_shim.cpp watches `root`."""
    return {"LD_PRELOAD": str(library.resolve()), "EFFNETV2_FAULT_ROOT": str(root),
            **{f"EFFNETV2_FAULT{key}": str(value) for key, value in variables.items()}}


def fresh(folder, label):
    root = folder / label
    root.mkdir()
    return root
