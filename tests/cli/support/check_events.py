"""Compares what TensorBoard reads from a run directory with the run's own files.

    check_events.py RUN_DIR [--histograms EPOCH...]
"""

import argparse
import json
import math
import pathlib
import struct

import numpy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

TAGS = {
    "step": "progress/step",
    "lr": "learning_rate",
    "train_loss": "loss/train",
    "train_top1": "top1/train",
    "val_loss": "loss/val",
    "val_top1": "top1/val",
    "val_top5": "top5/val",
    "train_eval_loss": "loss/train_eval",
    "train_eval_top1": "top1/train_eval",
    "epoch_seconds": "speed/epoch_seconds",
    "images_per_second": "speed/images_per_second",
}


def read_safetensors(path):
    data = path.read_bytes()
    (header_bytes,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + header_bytes])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] == "F32":
            begin, end = (8 + header_bytes + offset for offset in entry["data_offsets"])
            tensors[name] = numpy.frombuffer(data[begin:end], numpy.float32)
    return tensors


def check_scalars(events, rows):
    expected = {}
    for row in rows:
        for column, value in row.items():
            if column != "epoch" and value is not None:
                expected.setdefault(TAGS[column], []).append((row["epoch"], numpy.float32(value)))
    found = {tag: [(e.step, numpy.float32(e.value)) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    assert found == expected, f"scalars differ:\n{found}\n{expected}"
    for tag in found:
        times = [e.wall_time for e in events.Scalars(tag)]
        assert times == sorted(times) and times[0] > 1.6e9, (tag, times)
    return sum(map(len, found.values()))


def check_config(events, run):
    config = json.loads((run / "config.json").read_text())
    texts = [json.loads(e.tensor_proto.string_val[0]) for e in events.Tensors("config")]
    for text in texts:
        text["precision"] = config["precision"]  # which the run resolved
    assert texts[-1] == config, texts[-1]
    assert events.SummaryMetadata("config").plugin_data.plugin_name == "text"
    return config


def check_images(events, config):
    tags = events.Tags()["images"]
    assert len(tags) == config["tensorboard"]["training_images"], tags
    for tag in tags:
        (image,) = events.Images(tag)
        side = config["data"]["image_size"]
        assert (image.step, image.width, image.height) == (0, side, side), image
        png = image.encoded_image_string
        assert png[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", png[16:24]) == (side, side)
    return len(tags)


def check_histograms(events, run, epochs, last_epoch):
    weights = read_safetensors(run / "checkpoints" / "last.safetensors")
    weights = {name: values for name, values in weights.items() if "running_" not in name}
    tags = {tag.replace("/", "."): tag for tag in events.Tags()["histograms"]}
    assert set(tags) == (set(weights) if epochs else set()), set(tags) ^ set(weights)
    for name, tag in tags.items():
        histograms = events.Histograms(tag)
        assert [h.step for h in histograms] == epochs, (tag, [h.step for h in histograms])
        for histogram in histograms:
            value = histogram.histogram_value
            assert value.num == sum(value.bucket) == weights[name].size, tag
            assert value.bucket_limit == sorted(value.bucket_limit) and value.bucket_limit[-1] == value.max
        if epochs[-1] != last_epoch:
            continue
        values = weights[name].astype(numpy.float64)
        assert (value.min, value.max) == (values.min(), values.max()), tag
        assert math.isclose(value.sum, values.sum(), abs_tol=1e-9 * values.size), tag
        assert math.isclose(value.sum_squares, numpy.square(values).sum(), abs_tol=1e-9 * values.size), tag
        if value.min < value.max:
            counts, _ = numpy.histogram(values, [value.min, *value.bucket_limit])
            assert counts.tolist() == value.bucket, (tag, counts, value.bucket)
    return len(tags)


def check_shown(path, tags):
    """The loader of TensorBoard's own pages brings everything into one form; none may be lost."""
    shown = {value.tag for event in EventFileLoader(str(path)).Load() for value in event.summary.value}
    assert shown == tags, shown ^ tags


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--histograms", type=int, nargs="*", default=[])
    arguments = parser.parse_args()
    files = list(arguments.run.glob("*tfevents*"))
    assert len(files) == 1, files
    events = EventAccumulator(str(arguments.run), size_guidance={kind: 0 for kind in ("scalars", "images", "histograms", "tensors")})
    events.Reload()
    rows = [json.loads(line) for line in (arguments.run / "metrics.jsonl").read_text().splitlines()]
    scalars = check_scalars(events, rows)
    config = check_config(events, arguments.run)
    images = check_images(events, config)
    histograms = check_histograms(events, arguments.run, arguments.histograms, rows[-1]["epoch"])
    kinds = events.Tags()
    check_shown(files[0], {tag for kind in ("scalars", "images", "histograms", "tensors") for tag in kinds[kind]})
    print(f"{scalars} scalars, {images} images, {histograms} weights: as they should be")


main()
