#!/usr/bin/env python3
"""A finished run in Python: its epochs as a table, and its best weights in torchvision's network, which answers for a
picture of the validation split what `effnetv2 predict` does.

    build/python/bin/python examples/load_run.py RUN_DIR build/release/effnetv2

Needs torchvision, pandas and safetensors: scripts/setup.sh --python. The stage table of the run must be a published one.
"""

import json
import pathlib
import subprocess
import sys

import pandas
import torch
import torchvision
from PIL import Image
from safetensors import safe_open
from torchvision.transforms import InterpolationMode, functional

if len(sys.argv) != 3:
    sys.exit(__doc__)
run, program = pathlib.Path(sys.argv[1]), sys.argv[2]
config = json.loads((run / "config.json").read_text())  # every key, with its default where none was given
model, data = config["model"], config["data"]

epochs = pandas.read_csv(run / "metrics.csv", index_col="epoch")
best = json.loads((run / "result.json").read_text())["best"]["epoch"]
print(epochs[["lr", "train_loss", "val_loss", "val_top1"]])
print(f"best epoch: {best}, validation top-1 {epochs.val_top1[best]:.4f}")

with safe_open(run / "checkpoints" / "best.safetensors", "pt") as file:
    names = json.loads(file.metadata()["classes"])
    weights = {name: file.get_tensor(name) for name in file.keys()}
network = getattr(torchvision.models, model["arch"])(num_classes=model["num_classes"])
try:
    network.load_state_dict(weights)  # of .pth, which `effnetv2 convert` writes: torch.load("best.pth", weights_only=True)
except RuntimeError:
    sys.exit(f"{run}: its network is none that torchvision publishes: multipliers or stages differ, as "
             f"effnetv2 summary {run}/config.json shows")
network.eval()

row = pandas.read_csv(run / "eval" / "val" / "predictions.csv", keep_default_na=False).iloc[0]
image = Image.open(pathlib.Path(data["root"], row.path)).convert("RGB")
size, interpolation = data["image_size"], InterpolationMode(data["interpolation"])
if data["resize"] == "squash":
    image = functional.resize(image, [size, size], interpolation)
else:
    image = functional.center_crop(functional.resize(image, data["resize_size"] or size, interpolation), size)
with torch.no_grad():
    logits = network(functional.normalize(functional.to_tensor(image), data["mean"], data["std"])[None])[0]
print(f"{row.path}: {names[int(logits.argmax())]} with {float(logits.softmax(0).max()):.4f}; it is {row['class']}")

command = [program, "predict", str(run), str(pathlib.Path(data["root"], row.path)), "--logits", "--json", "--quiet",
           "--device", "cpu", "--set", "precision=fp32"]
ours = torch.tensor(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)[0]["logits"])
difference = float((logits - ours).abs().max() / (ours.max() - ours.min()))
print(f"logits of effnetv2 differ by {difference:.1e} of their range")
sys.exit(0 if difference < 1e-4 else "too much")
