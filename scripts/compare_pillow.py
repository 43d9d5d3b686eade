#!/usr/bin/env python3
"""Checks decoding and resizing on a whole folder of photographs against Pillow, through the program.

    scripts/compare_pillow.py PROGRAM DIR [SIZE]

`effnetv2 data stats` sums every pixel of the images squashed to SIZE (default 32; 0: as they are). Here Pillow does the
same, in integers: one pixel that differs by one shows in the mean. DIR holds one folder of images per class. Needs
Pillow and NumPy.
"""

import json
import math
import pathlib
import subprocess
import sys

import numpy
from PIL import Image

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".webp"}


def pillow_stats(root, size):
    images, pixels = 0, 0
    total, squares = numpy.zeros(3, numpy.int64), numpy.zeros(3, numpy.int64)
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or any(part.startswith(".") for part in path.relative_to(root).parts):
            continue
        image = Image.open(path).convert("RGB")
        if size:
            image = image.resize((size, size), Image.BILINEAR)
        values = numpy.asarray(image, dtype=numpy.int64).reshape(-1, 3)
        images, pixels = images + 1, pixels + len(values)
        total, squares = total + values.sum(0), squares + (values**2).sum(0)
    mean = [int(s) / pixels for s in total]
    std = [math.sqrt(max(0.0, int(q) / pixels - m * m)) for q, m in zip(squares, mean)]
    return {"images": images, "pixels": pixels, "mean": [m / 255 for m in mean], "std": [s / 255 for s in std]}


def main():
    program, root = sys.argv[1], pathlib.Path(sys.argv[2])
    size = int(sys.argv[3]) if len(sys.argv) > 3 else 32
    command = [program, "data", "stats", str(root), "--size", str(size), "--json", "--quiet"]
    ours = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    theirs = pillow_stats(root, size)
    # one unit of one byte among all of them moves a mean by this
    step = 1 / 255 / theirs["pixels"]
    off = max(abs(a - b) for key in ("mean", "std") for a, b in zip(ours[key], theirs[key]))
    same = ours["images"] == theirs["images"] and ours["bad"] == 0 and off < step / 4
    print(f"{theirs['images']} images, {theirs['pixels']} pixels at size {size}: largest difference of a mean or "
          f"deviation {off:.1e}, one unit of one byte would be {step:.1e}: {'the same' if same else 'DIFFERENT'}")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
