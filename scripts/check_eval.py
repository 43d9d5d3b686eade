#!/usr/bin/env python3
"""Checks a run's figures with torchvision: its best weights, loaded strictly, on the files that `eval` measured.

    scripts/check_eval.py PROGRAM RUN_DIR [--threads N]

RUN_DIR is a run of an unchanged efficientnet_v2_s, _m, _l or efficientnet_b0. `convert` writes its best weights as .pth,
`eval` measures the validation images; Python reads the same files with Pillow and answers with torchvision's network.
Needs torch and torchvision. Exits 1 if top-1 differs by a single picture.
"""

import argparse
import csv
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import torchvision
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional


def prepared(path, data):
    image = Image.open(path).convert("RGB")
    size, interpolation = data["image_size"], InterpolationMode(data["interpolation"])
    if data["resize"] == "squash":
        image = functional.resize(image, [size, size], interpolation)
    else:
        image = functional.resize(image, data["resize_size"] or size, interpolation)
        image = functional.center_crop(image, size)
    return functional.normalize(functional.to_tensor(image), data["mean"], data["std"])


def class_names(path):
    """What the weights' metadata holds, in the order of the outputs."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return json.loads(header["__metadata__"]["classes"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("run_dir", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    config = json.loads((options.run_dir / "config.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        command = [options.program, "eval", str(options.run_dir), "--json", "--quiet", "-o", str(folder),
                   "--set", "data.class_names=null"]
        ours = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        subprocess.run([options.program, "convert", str(options.run_dir), str(folder / "best.pth")], check=True,
                       stdout=subprocess.DEVNULL)
        names = class_names(options.run_dir / "checkpoints" / "best.safetensors")
        state = torch.load(folder / "best.pth", weights_only=True)
        rows = list(csv.DictReader((folder / "predictions.csv").open(newline="")))
    network = getattr(torchvision.models, config["model"]["arch"])(num_classes=config["model"]["num_classes"])
    network.load_state_dict(state, strict=True)
    network.eval()
    root = pathlib.Path(config["data"]["root"])
    hits = same = 0
    with torch.no_grad():
        for begin in range(0, len(rows), 32):
            some = rows[begin : begin + 32]
            answers = network(torch.stack([prepared(root / row["path"], config["data"]) for row in some])).argmax(1)
            for row, answer in zip(some, answers.tolist()):
                hits += names[answer] == row["class"]
                same += names[answer] == row["predicted"]
    top1 = hits / len(rows)
    print(f"torchvision {torchvision.__version__}: {len(rows)} images, top-1 {top1:.6f}, eval says {ours['top1']:.6f}; "
          f"{same} of the predictions are the same")
    sys.exit(0 if len(rows) == ours["samples"] and abs(top1 - ours["top1"]) < 1e-9 else 1)


if __name__ == "__main__":
    main()
