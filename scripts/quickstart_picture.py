#!/usr/bin/env python3
"""Draws docs/quickstart.png: what the quickstart is shown and how it learns.

    scripts/quickstart_picture.py runs/quickstart-1 data/synth docs/quickstart.png

Needs Debian's python3-matplotlib and python3-pil.
"""

import csv
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from PIL import Image

EXAMPLES = 3  # of each class


def draw_classes(figure, area, data):
    folders = sorted(folder for folder in data.iterdir() if folder.is_dir())
    widths = 2 * ([1.7] + EXAMPLES * [1])
    grid = area.subgridspec(len(folders) // 2, len(widths), width_ratios=widths, wspace=0.08, hspace=0.12)
    for number, folder in enumerate(folders):
        row, left = number % (len(folders) // 2), number // (len(folders) // 2) * (EXAMPLES + 1)
        label = figure.add_subplot(grid[row, left])
        label.axis("off")
        label.text(0.95, 0.5, folder.name, ha="right", va="center", fontsize=9, transform=label.transAxes)
        for column, file in enumerate(sorted(folder.glob("*.png"))[:EXAMPLES]):
            axes = figure.add_subplot(grid[row, left + 1 + column])
            axes.imshow(Image.open(file))
            axes.axis("off")


def draw_curves(axes, run):
    with open(run / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    epochs = [int(row["epoch"]) for row in rows]
    for column, label, colour in [("train_top1", "training", "#8c96a8"), ("val_top1", "validation", "#1f5fbf")]:
        axes.plot(epochs, [100 * float(row[column]) for row in rows], marker="o", label=label, color=colour)
    seconds = sum(float(row["epoch_seconds"]) for row in rows)
    best = max(float(row["val_top1"]) for row in rows)
    axes.set_title(f"top-1 in percent, {100 * best:.1f} reached in {seconds:.0f} s", fontsize=10)
    axes.set_xlabel("epoch")
    axes.set_xticks(epochs)
    axes.set_ylim(0, 101)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    run, data, out = map(pathlib.Path, sys.argv[1:])
    figure = plt.figure(figsize=(10, 3.4), dpi=110)
    areas = figure.add_gridspec(1, 2, width_ratios=[1.45, 1], left=0.01, right=0.985, top=0.9, bottom=0.15, wspace=0.1)
    draw_classes(figure, areas[0], data)
    draw_curves(figure.add_subplot(areas[1]), run)
    figure.savefig(out)


if __name__ == "__main__":
    main()
