#!/usr/bin/python3
"""Times training steps of this program beside torchvision's network in eager PyTorch, on the CPU, in turns.

    scripts/bench_peers.py [--rounds 5] [--steps 5] [--out docs/results/cpu]

Each round times ours and the peer in fresh processes, in an order that changes from round to round, with the same
threads, batch, precision and optimizer (Adam). Needs a Python with PyTorch and torchvision; on Debian python3-torchvision,
which shares its LibTorch with this program. Writes OUT.json and OUT.md if asked, and a table to stdout.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import torch

import peers


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=peers.ROOT / "build/release/effnetv2", type=pathlib.Path)
    parser.add_argument("--rows", default="32x128,128x32", help="image size x batch size, comma separated")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--layout", choices=["channels_last", "nchw"], default="channels_last", help="of the peer")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=5, help="timed in each round")
    parser.add_argument("--warmup", type=int, default=3, help="before them")
    parser.add_argument("--out", type=pathlib.Path, help="writes OUT.json and OUT.md")
    parser.add_argument("--peer", help=argparse.SUPPRESS)  # one row, in a process of its own
    return parser.parse_args()


def run_peer(options, image_size, batch_size):
    command = [sys.executable, __file__, "--peer", f"{image_size}x{batch_size}", "--precision", options.precision]
    command += ["--layout", options.layout, "--threads", str(options.threads)]
    command += ["--steps", str(options.steps), "--warmup", str(options.warmup)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def be_peer(options):
    torch.set_num_threads(options.threads)
    image_size, batch_size = map(int, options.peer.split("x"))
    training = peers.TorchvisionTraining(
        image_size, batch_size, precision=options.precision, device="cpu", layout=options.layout
    )
    json.dump(peers.median(training.times(options.steps, options.warmup)), sys.stdout)


def measure(options, image_size, batch_size):
    ours, peer = [], []

    def time_ours():
        result = peers.run_ours(
            options.program, image_size, batch_size, precision=options.precision, device="cpu",
            threads=options.threads, steps=options.steps, warmup=options.warmup,
        )
        ours.append(result["median_step_ms"])

    def time_peer():
        peer.append(run_peer(options, image_size, batch_size))

    for number in range(options.rounds):
        for time_one in (time_ours, time_peer) if number % 2 == 0 else (time_peer, time_ours):
            time_one()
        print(f"{image_size} px, batch {batch_size}, round {number + 1} of {options.rounds}: "
              f"ours {ours[-1]:.1f} ms, torchvision {peer[-1]:.1f} ms", file=sys.stderr, flush=True)

    ratios = [p / o for o, p in zip(ours, peer)]
    return {
        "work": f"train {image_size} px, batch {batch_size}",
        "ours_ms": round(peers.median(ours), 2),
        "ours_spread_ms": [round(min(ours), 2), round(max(ours), 2)],
        "peer_ms": round(peers.median(peer), 2),
        "peer_spread_ms": [round(min(peer), 2), round(max(peer), 2)],
        "speedup": round(peers.median(ratios), 3),
        "speedup_spread": [round(min(ratios), 3), round(max(ratios), 3)],
    }


def to_markdown(report):
    def cell(value, spread):
        return f"{value} ({spread[0]} to {spread[1]})"

    table = peers.markdown_table(
        ["work", "ours, ms a step", "torchvision eager, ms a step", "times as fast"],
        [[row["work"], cell(row["ours_ms"], row["ours_spread_ms"]), cell(row["peer_ms"], row["peer_spread_ms"]),
          cell(row["speedup"], row["speedup_spread"])] for row in report["rows"]],
    )
    machine = report["machine"]
    return (
        f"{table}\n\n{report['precision']}, torchvision {report['layout']}, {report['threads']} threads; medians over "
        f"{report['rounds']} rounds in turns of {report['steps']} steps, least and most in brackets.\n"
        f"{machine['processor']}, {machine['cores']} cores ({', '.join(machine['instructions'])}); "
        f"LibTorch {report['program']['LibTorch']}, torch {machine['torch']}, torchvision {machine['torchvision']}, "
        f"Python {machine['python']}; revision {report['program']['revision']}; load before {machine['load_before']}.\n"
    )


def main():
    options = parse_arguments()
    if options.peer:
        be_peer(options)
        return
    if not options.program.exists():
        sys.exit(f"{options.program} is not there; build it, or name it with --program")
    report = {"machine": peers.machine(), "program": peers.program_version(options.program)}
    report.update({key: getattr(options, key) for key in ("precision", "layout", "threads", "rounds", "steps")})
    report["rows"] = [measure(options, *map(int, row.split("x"))) for row in options.rows.split(",")]
    text = to_markdown(report)
    print(text, end="")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n")
        options.out.with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()
