#!/usr/bin/env python3
"""Times training steps of this program beside torchvision's network in PyTorch on a card, in turns.

    scripts/gpu_peers.py --program build/cuda/effnetv2 [--out docs/results/gpu] [--tests FILE.json]

Both in bf16 autocast, channels_last, with Adam (the peer's fused); the peer eager and, while --seconds last, compiled.
Times are milliseconds a step between events on the card. Writes OUT.json and OUT.md, and the table to stdout.
"""

import argparse
import datetime
import json
import pathlib
import sys
import time

import torch
import torchvision

import peers

UNITS = {"times": "ms a step, median", "peak_memory": "bytes held by tensors"}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=peers.ROOT / "build/cuda/effnetv2", type=pathlib.Path)
    parser.add_argument("--rows", default="32x128,128x128,384x64", help="image size x batch size, comma separated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=30, help="timed in each round")
    parser.add_argument("--warmup", type=int, default=10, help="before them")
    parser.add_argument("--seconds", type=float, default=300.0, help="compile nothing more after so long")
    parser.add_argument("--tests", type=pathlib.Path, help="what the tests did, to put into OUT.json")
    parser.add_argument("--out", type=pathlib.Path, default=peers.ROOT / "docs/results/gpu")
    return parser.parse_args()


class Peer:
    """torchvision's network in one form; its times in all rounds and its most memory."""

    def __init__(self, options, image_size, batch_size, compiled):
        self.options = options
        self.training = peers.TorchvisionTraining(
            image_size, batch_size, precision="bf16", device="cuda", compiled=compiled
        )
        self.training.times(1, options.warmup)  # compiles and chooses kernels
        self.medians, self.peak = [], 0

    def round(self):
        torch.cuda.reset_peak_memory_stats()
        self.medians.append(peers.median(self.training.times(self.options.steps, self.options.warmup)))
        self.peak = max(self.peak, torch.cuda.max_memory_allocated())
        torch.cuda.empty_cache()


def measure(options, image_size, batch_size, deadline):
    work = f"train {image_size} px, batch {batch_size}, bf16"
    eager = Peer(options, image_size, batch_size, compiled=False)
    ours, peak = [], 0
    for number in range(options.rounds):
        result = peers.run_ours(
            options.program, image_size, batch_size, precision="bf16", device="cuda", threads="auto",
            steps=options.steps, warmup=options.warmup,
        )
        ours.append(result["median_step_ms"])
        peak = max(peak, result["peak_memory_bytes"])
        eager.round()
        print(f"{work}, round {number + 1} of {options.rounds}: ours {ours[-1]:.2f} ms, eager {eager.medians[-1]:.2f} ms",
              file=sys.stderr, flush=True)
    row = {
        "work": work,
        "ours": round(peers.median(ours), 3),
        "ours_spread": [round(min(ours), 3), round(max(ours), 3)],
        "eager": round(peers.median(eager.medians), 3),
        "eager_spread": [round(min(eager.medians), 3), round(max(eager.medians), 3)],
        "compiled": None,
        "peak_memory_ours": peak,
        "peak_memory_eager": eager.peak,
    }
    del eager
    torch.cuda.empty_cache()
    if time.monotonic() < deadline:
        row["compiled"] = time_compiled(options, image_size, batch_size, work)
        torch.cuda.empty_cache()
    return row


def time_compiled(options, image_size, batch_size, work):
    """None where this Python cannot compile: its compiler needs tools of its own."""
    try:
        compiled = Peer(options, image_size, batch_size, compiled=True)
        for _ in range(options.rounds):
            compiled.round()
    except Exception as error:
        print(f"{work}: not compiled: {str(error).splitlines()[0]}", file=sys.stderr, flush=True)
        return None
    result = round(peers.median(compiled.medians), 3)
    print(f"{work}: compiled {result:.2f} ms", file=sys.stderr, flush=True)
    return result


def to_markdown(report):
    def number(value):
        return "not measured" if value is None else f"{value:.2f}"

    def gigabytes(value):
        return f"{value / 2**30:.1f}"

    table = peers.markdown_table(
        ["work", "ours, ms", "eager, ms", "compiled, ms", "ours, GiB", "eager, GiB"],
        [[row["work"], number(row["ours"]), number(row["eager"]), number(row["compiled"]),
          gigabytes(row["peak_memory_ours"]), gigabytes(row["peak_memory_eager"])] for row in report["rows"]],
    )
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    tests = report["tests"]
    ran = f"Tests: {tests['passed']} passed, {tests['failed']} failed, {tests['skipped']} skipped.\n" if tests else ""
    return f"{table}\n\n{report['card']}, {report['date']}. {versions}.\n{ran}"


def main():
    options = parse_arguments()
    if not torch.cuda.is_available():
        print("there is no CUDA card here: nothing was measured", file=sys.stderr)
        sys.exit(6)
    deadline = time.monotonic() + options.seconds
    program = peers.program_version(options.program)
    report = {
        "card": torch.cuda.get_device_name(0),
        "date": datetime.date.today().isoformat(),
        "versions": {
            "effnetv2": program["revision"],
            "LibTorch": program["LibTorch"],
            "CUDA": program["CUDA"],
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
        },
        "units": UNITS,
        "rows": [measure(options, *map(int, row.split("x")), deadline) for row in options.rows.split(",")],
        "tests": json.loads(options.tests.read_text()) if options.tests else None,
    }
    text = to_markdown(report)
    print(text, end="")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n")
    options.out.with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()
