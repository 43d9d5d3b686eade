#!/usr/bin/env python3
"""Times training steps of this program beside torchvision's network in PyTorch on a card, in turns.

    scripts/gpu_peers.py --program build/cuda/effnetv2 [--out docs/results/gpu] [--tests FILE.json]

Both in bf16 autocast, channels_last, with cuDNN's own choice of kernels and Adam (the peer's fused); the peer eager and,
while --seconds last, compiled. Times are milliseconds a step between events on the card. Writes OUT.json and OUT.md, anew
after each figure so that whatever ends it early leaves what was measured, and the table to stdout.
"""

import argparse
import datetime
import json
import os
import pathlib
import signal
import subprocess
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
    parser.add_argument("--seconds", type=float, default=300.0, help="give up compiling after so long in all")
    parser.add_argument("--tests", type=pathlib.Path, help="what the tests did, to put into OUT.json")
    parser.add_argument("--training", type=pathlib.Path, help="what gpu_train.py saw, to put into OUT.json")
    parser.add_argument("--revision", help="for a program that was built outside its repository and does not know")
    parser.add_argument("--out", type=pathlib.Path, default=peers.ROOT / "docs/results/gpu")
    parser.add_argument("--compiled", help=argparse.SUPPRESS)  # one row, in a process of its own
    return parser.parse_args()


class Peer:
    """torchvision's network in one form; its times in all rounds and its most memory."""

    def __init__(self, options, image_size, batch_size, compiled):
        self.options = options
        self.training = peers.TorchvisionTraining(
            image_size, batch_size, precision="bf16", device="cuda", compiled=compiled
        )
        self.training.times(1, options.warmup)  # compiles and chooses kernels
        torch.cuda.empty_cache()  # ours runs next, in a process of its own
        self.medians, self.peak = [], 0

    def round(self):
        torch.cuda.reset_peak_memory_stats()
        self.medians.append(peers.median(self.training.times(self.options.steps, self.options.warmup)))
        self.peak = max(self.peak, torch.cuda.max_memory_allocated())
        torch.cuda.empty_cache()


def measure(options, image_size, batch_size):
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
        "image_size": image_size,
        "batch_size": batch_size,
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
    return row


def time_compiled(row, options, deadline):
    """None if this Python cannot compile, which takes tools of its own, or not by the deadline."""
    command = [sys.executable, __file__, "--compiled", f"{row['image_size']}x{row['batch_size']}"]
    command += [f"--{name}={getattr(options, name)}" for name in ("rounds", "steps", "warmup")]
    # in a session of its own: the compiler has workers, which would live on
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        output, errors = child.communicate(timeout=max(1.0, deadline - time.monotonic()))
        fault = None if child.returncode == 0 else (errors.strip().splitlines() or ["no reason given"])[-1]
    except subprocess.TimeoutExpired:
        fault = "the time is up"
    finally:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()
    print(f"{row['work']}: " + (f"not compiled: {fault}" if fault else f"compiled {float(output):.2f} ms"),
          file=sys.stderr, flush=True)
    return None if fault else round(float(output), 3)


def be_compiled(options):
    peer = Peer(options, *map(int, options.compiled.split("x")), compiled=True)
    for _ in range(options.rounds):
        peer.round()
    print(peers.median(peer.medians))


def read_json(path):
    return json.loads(path.read_text()) if path else None


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
    lines = [table, "", f"{report['card']}, {report['date']}. {versions}. Medians of {report['rounds']} rounds in turns."]
    if tests := report["tests"]:
        lines.append(f"Tests: {tests['passed']} passed, {tests['failed']} failed, {tests['skipped']} skipped.")
    if training := report["training"]:
        card, cpu = training["evaluations"]
        lines.append(f"The quickstart in {training['seconds']} s: top-1 {card['top1']:.3f}, loss {card['loss']:.5f} on the "
                     f"card, {cpu['loss']:.5f} on the CPU.")
    return "\n".join(lines) + "\n"


def write(report, out):
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n")
    out.with_suffix(".md").write_text(to_markdown(report))


def main():
    options = parse_arguments()
    if not torch.cuda.is_available():
        print("there is no CUDA card here: nothing was measured", file=sys.stderr)
        sys.exit(6)
    torch.backends.cudnn.benchmark = True  # as our program does
    if options.compiled:
        be_compiled(options)
        return
    deadline = time.monotonic() + options.seconds
    program = peers.program_version(options.program)
    report = {
        "card": torch.cuda.get_device_name(0),
        "date": datetime.date.today().isoformat(),
        "versions": {
            "effnetv2": options.revision or program["revision"],
            "LibTorch": program["LibTorch"],
            "CUDA": program["CUDA"],
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
        },
        "units": UNITS,
        "rounds": options.rounds,
        "steps": options.steps,
        "rows": [],
        "tests": read_json(options.tests),
        "training": read_json(options.training),
    }
    for row in options.rows.split(","):
        report["rows"].append(measure(options, *map(int, row.split("x"))))
        write(report, options.out)
    for row in report["rows"]:
        if time.monotonic() < deadline:
            row["compiled"] = time_compiled(row, options, deadline)
            write(report, options.out)
    print(to_markdown(report), end="")


if __name__ == "__main__":
    main()
