#!/usr/bin/env python3
"""Trains the quickstart on a card and holds the result to the CPU's.

    scripts/gpu_train.py --program build/cuda/effnetv2

It draws the pictures, trains with what `--device cuda` gives by default (bf16) and evaluates the best weights in float32 on
the card and on the CPU. Writes what it saw to stdout as JSON, and exits 1 if the network did not learn or the two disagree.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
LEAST_TOP1 = 0.9  # of the quickstart's validation images, of which a guess gets 0.1
MOST_LOSS_DIFFERENCE = 1e-3  # between float32 on the card and on the CPU


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=ROOT / "build/cuda/effnetv2", type=pathlib.Path)
    parser.add_argument("--device", default="cuda", help="cpu tries this script where there is no card")
    return parser.parse_args()


def run(program, *arguments):
    command = [str(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\nexited with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def evaluate(program, run_directory, device):
    answer = json.loads(run(program, "eval", run_directory, "--device", device, "--json", "--quiet"))
    return {"device": device, "loss": answer["loss"], "top1": answer["top1"]}


def faults_of(report):
    card, cpu = report["evaluations"]
    faults = []
    if not card["top1"] >= LEAST_TOP1:
        faults.append(f"validation top-1 is {card['top1']}, expected at least {LEAST_TOP1}")
    if not abs(card["loss"] - cpu["loss"]) <= MOST_LOSS_DIFFERENCE:
        faults.append(f"the same weights have loss {card['loss']} on the card and {cpu['loss']} on the CPU")
    return faults


def main():
    options = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        shapes, run_directory = pathlib.Path(folder) / "shapes", pathlib.Path(folder) / "run"
        run(options.program, "data", "synth", shapes)
        run(options.program, "train", ROOT / "configs/quickstart.json", "--set", f"data.root={shapes}",
            "--run-dir", run_directory, "--device", options.device, "--quiet")
        result = json.loads((run_directory / "result.json").read_text())
        report = {
            "config": "configs/quickstart.json",
            "epochs": result["epochs"],
            "seconds": round(result["seconds"], 1),
            "evaluations": [evaluate(options.program, run_directory, device) for device in (options.device, "cpu")],
        }
    report["faults"] = faults_of(report)
    print(json.dumps(report))
    sys.exit(1 if report["faults"] else 0)


if __name__ == "__main__":
    main()
