#!/usr/bin/env python3
"""Writes tests/golden/safetensors_sample.safetensors with the safetensors package (pip install "safetensors>=0.8").

With a file as argument, reads that with the package instead and prints what it holds: to check by hand that it reads ours.
"""

import ctypes
import json
import pathlib
import struct
import sys

import safetensors

SAMPLE = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "safetensors_sample.safetensors"


def pack(code, *values):
    return struct.pack(f"<{len(values)}{code}", *values)


# bfloat16 1.0, -2.5, infinity; float16 0.5, -0.0
TENSORS = {
    "double": {"dtype": "float64", "shape": [2], "data": pack("d", 0.1, -1e300)},
    "matrix": {"dtype": "float32", "shape": [2, 3], "data": pack("f", 0, 1, 2, 3, 4, 5.5)},
    "half": {"dtype": "float16", "shape": [2, 1], "data": pack("H", 0x3800, 0x8000)},
    "brain": {"dtype": "bfloat16", "shape": [3], "data": pack("H", 0x3F80, 0xC020, 0x7F80)},
    "features.0.1.num_batches_tracked": {"dtype": "int64", "shape": [], "data": pack("q", 2**40 + 7)},
    "int": {"dtype": "int32", "shape": [1, 1, 2], "data": pack("i", -1, 2**31 - 1)},
    "short": {"dtype": "int16", "shape": [1], "data": pack("h", -32768)},
    "char": {"dtype": "int8", "shape": [3], "data": pack("b", -128, 0, 127)},
    "byte": {"dtype": "uint8", "shape": [2], "data": pack("B", 0, 255)},
    "bool": {"dtype": "bool", "shape": [2], "data": pack("B", 1, 0)},
    "empty": {"dtype": "float32", "shape": [0, 4], "data": b""},
    'naïve "name"\n': {"dtype": "float32", "shape": [1], "data": pack("f", 1)},
}


def main():
    if len(sys.argv) == 1:
        buffers = {name: ctypes.create_string_buffer(t["data"], len(t["data"])) for name, t in TENSORS.items()}
        specs = {
            name: safetensors.TensorSpec(
                dtype=t["dtype"], shape=t["shape"], data_ptr=ctypes.addressof(buffers[name]), data_len=len(t["data"])
            )
            for name, t in TENSORS.items()
        }
        SAMPLE.write_bytes(safetensors.serialize(specs, {"format": 'text with "quotes", \\ and ü'}))
        return
    data = pathlib.Path(sys.argv[1]).read_bytes()
    header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    print(json.dumps(header.get("__metadata__"), ensure_ascii=False))
    for name, tensor in safetensors.deserialize(data):
        same = "" if name not in TENSORS else " as the sample" if tensor["data"] == TENSORS[name]["data"] else " DIFFERS"
        print(f"{name!r} {tensor['dtype']} {tensor['shape']} {len(tensor['data'])} bytes{same}")


if __name__ == "__main__":
    main()
