#!/usr/bin/env python3
"""Writes tests/golden/torch_*.pth and .pt with torch.save: what the reader of PyTorch's files must understand or refuse.

    scripts/make_torch_golden.py NAME       # torch_NAME.pth, torch_NAME_checkpoint.pth and so on

Run it under the oldest and the newest PyTorch that is read; NAME tells them apart, as "1.13". tests/unit/weights/
torch_file_test.cpp knows what they hold.
"""

import collections
import pathlib
import sys
import warnings

import torch
from torch import nn

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"


def sample():
    matrix = torch.arange(6, dtype=torch.float32).reshape(2, 3) / 4
    state = collections.OrderedDict()
    state["matrix"] = matrix
    state["transposed"] = matrix.t()  # the same storage
    state["slice"] = torch.arange(10)[3:9:2]
    state["channels_last"] = torch.arange(48, dtype=torch.float32).reshape(2, 3, 2, 4).contiguous(
        memory_format=torch.channels_last)
    state["double"] = torch.tensor([0.1, -1e300], dtype=torch.float64)
    state["half"] = torch.tensor([0.5, -0.0], dtype=torch.float16)
    state["brain"] = torch.tensor([1.0, -2.5, float("inf")], dtype=torch.bfloat16)
    state["int"] = torch.tensor([-1, 2**31 - 1], dtype=torch.int32)
    state["short"] = torch.tensor([-32768], dtype=torch.int16)
    state["char"] = torch.tensor([-128, 0, 127], dtype=torch.int8)
    state["byte"] = torch.tensor([0, 255], dtype=torch.uint8)
    state["bool"] = torch.tensor([True, False])
    state["features.0.1.num_batches_tracked"] = torch.tensor(2**40 + 7)
    state["empty"] = torch.zeros(0, 4)
    state["parameter"] = nn.Parameter(torch.tensor([3.0, -4.0]))
    state._metadata = collections.OrderedDict([("", {"version": 1}), ("features", {"version": 2})])
    return state


def main():
    warnings.filterwarnings("ignore")
    name = sys.argv[1]

    def save(value, kind="", **options):
        torch.save(value, GOLDEN / f"torch_{name}{kind}.pth", **options)

    save(sample())
    wrapped = collections.OrderedDict(("module." + key, value) for key, value in sample().items())
    averaged = collections.OrderedDict(("module." + key, value * 2) for key, value in wrapped.items()
                                       if value.is_floating_point())
    averaged["n_averaged"] = torch.tensor(5)
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(3))])
    save({"epoch": 3, "best": 0.5, "model": wrapped, "model_ema": averaged, "optimizer": optimizer.state_dict(),
          "history": [1, -2.5, None, True], "name": "run"}, "_checkpoint")
    save(sample(), "_legacy", _use_new_zipfile_serialization=False)
    save(nn.Linear(2, 2), "_module")
    torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)).save(str(GOLDEN / f"torch_{name}_script.pt"))


if __name__ == "__main__":
    main()
