#!/usr/bin/env python3
"""Compares evaluation with torchvision's: the same weights, the same photographs, both sides' inputs and logits.

    scripts/compare_torchvision.py PROGRAM PICTURES [--models s m l b0] [--few N] [--threads N] [-o REPORT.json]

For each model torchvision makes a network of 1000 classes with random weights whose BatchNorm has seen photographs, so
that logits differ between pictures, and saves it with torch.save. PROGRAM reads that file, and converts it to
.safetensors and back. S answers every picture of
the folder PICTURES, the others the first N. The transform is torchvision's own preset for the published weights. Run it
under any Python that has torch and torchvision; exits 1 if a bound is broken.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import time

import torch
import torchvision
from PIL import Image
from torch import nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms._presets import ImageClassification

INPUT_BOUND, LOGIT_BOUND = 1e-6, 1e-4
MODELS = {
    "s": ("efficientnet_v2_s", 384, 384, InterpolationMode.BILINEAR),
    "m": ("efficientnet_v2_m", 480, 480, InterpolationMode.BILINEAR),
    "l": ("efficientnet_v2_l", 480, 480, InterpolationMode.BICUBIC),
    "b0": ("efficientnet_b0", 224, 256, InterpolationMode.BICUBIC),
}


def transform_of(model):
    """(transform, the same as our config's data object); L's preset divides by 0.5 where the others use ImageNet's."""
    _, crop, resize, interpolation = MODELS[model]
    mean, std = ([0.5] * 3, [0.5] * 3) if model == "l" else ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    data = {
        "image_size": crop,
        "resize": "center_crop",
        "resize_size": resize,
        "interpolation": interpolation.value,
        "mean": mean,
        "std": std,
    }
    preset = ImageClassification(crop_size=crop, resize_size=resize, interpolation=interpolation, mean=mean, std=std)
    return preset, data


def random_network(name, pictures):
    """Weights that keep the size of activations, then BatchNorm's statistics from photographs."""
    torch.manual_seed(0)
    network = getattr(torchvision.models, name)()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels // module.groups * module.kernel_size[0] ** 2
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
        elif isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the average over all batches
        elif isinstance(module, nn.Linear):
            nn.init.uniform_(module.weight, -1 / math.sqrt(module.in_features), 1 / math.sqrt(module.in_features))
    network.train()
    with torch.no_grad():
        for batch in pictures.split(8):
            network(batch)
    return network.eval()


def logits_of(network, inputs, memory_format=torch.contiguous_format):
    network = network.to(memory_format=memory_format)
    with torch.no_grad():
        return torch.cat([network(batch.contiguous(memory_format=memory_format)) for batch in inputs.split(4)])


def answers_of(program, model, weights, data, paths, threads, folder):
    config = {"device": "cpu", "threads": threads, "model": {"arch": MODELS[model][0]}, "data": data,
              "train": {"batch_size": 8}}
    (folder / "config.json").write_text(json.dumps(config))
    command = [program, "predict", "--weights", str(weights), "--config", str(folder / "config.json"), "--json",
               "--logits", "--quiet", "--save-inputs", str(folder / "inputs.safetensors"), *map(str, paths)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def read_safetensors(path):
    """Without the package, which Debian has not got."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    header.pop("__metadata__", None)
    tensors = {}
    for name, info in header.items():
        begin, end = (8 + size + offset for offset in info["data_offsets"])
        tensors[name] = torch.frombuffer(bytearray(raw[begin:end]), dtype=torch.float32).view(info["shape"])
    return tensors


def round_trip_is_exact(program, weights, folder):
    """.pth -> .safetensors -> .pth: bits, names and order, loaded by torch and, where there is one, by safetensors."""
    middle, end = folder / "middle.safetensors", folder / "end.pth"
    for source, target in ((weights, middle), (middle, end)):
        subprocess.run([program, "convert", str(source), str(target)], check=True, stdout=subprocess.DEVNULL)
    before, after = torch.load(weights), torch.load(end, weights_only=True)
    states = [after]
    try:
        from safetensors.torch import load_file

        loaded = load_file(middle)
        states.append({name: loaded[name] for name in before})
    except ImportError:
        pass

    def bits(tensor):
        return tensor.dtype, tensor.shape, tensor.contiguous().numpy().tobytes()

    network = getattr(torchvision.models, MODELS[weights.stem][0])()
    network.load_state_dict(after, strict=True)
    return all(list(state) == list(before) and all(bits(state[n]) == bits(before[n]) for n in before)
               for state in states)


def wrong_orders(ours, theirs, gap):
    """Pictures whose first five differ although each is further than `gap` from the next."""
    wrong = 0
    for mine, other in zip(ours, theirs):
        values, order = other.topk(6)
        for place in range(5):
            alone = values[place] - values[place + 1] > gap and (place == 0 or values[place - 1] - values[place] > gap)
            if alone and mine.topk(5).indices[place] != order[place]:
                wrong += 1
                break
    return wrong


def compare(program, model, paths, threads, folder):
    preset, data = transform_of(model)
    inputs = torch.stack([preset(Image.open(path).convert("RGB")) for path in paths])
    network = random_network(MODELS[model][0], inputs)
    weights = folder / f"{model}.pth"
    torch.save(network.state_dict(), weights)
    theirs = logits_of(network, inputs)
    again = logits_of(network, inputs, torch.channels_last)
    begin = time.time()
    documents = answers_of(program, model, weights, data, paths, threads, folder)
    seconds = time.time() - begin
    assert [one["path"] for one in documents] == [str(path) for path in paths]
    ours = torch.tensor([one["logits"] for one in documents])
    seen = read_safetensors(folder / "inputs.safetensors")
    value_range = (theirs.max() - theirs.min()).item()
    difference = (ours - theirs).abs().max().item()
    result = {
        "model": MODELS[model][0],
        "pictures": len(paths),
        "image_size": MODELS[model][1],
        "largest_input_difference": max((seen[str(p)] - x).abs().max().item() for p, x in zip(paths, inputs)),
        "logit_range": value_range,
        "logit_spread_between_pictures": theirs.std(0).mean().item(),
        "largest_logit_difference": difference,
        "relative_difference": difference / value_range,
        "torchvision_with_itself_in_channels_last": (again - theirs).abs().max().item() / value_range,
        "round_trip_is_exact": round_trip_is_exact(program, weights, folder),
        "wrong_top5_orders": wrong_orders(ours, theirs, 2 * difference),
        "seconds_ours": seconds,
    }
    result["within_bounds"] = (
        result["largest_input_difference"] <= INPUT_BOUND
        and result["relative_difference"] <= LOGIT_BOUND
        and result["wrong_top5_orders"] == 0
        and result["round_trip_is_exact"]
    )
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("pictures", type=pathlib.Path)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--few", type=int, default=6, help="pictures for every model but S")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("-o", "--output", type=pathlib.Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    paths = sorted(p for p in options.pictures.rglob("*") if p.suffix.lower() in {".jpg", ".jpeg", ".png"})
    report = {"torch": torch.__version__, "torchvision": torchvision.__version__, "models": []}
    for model in options.models:
        with tempfile.TemporaryDirectory() as folder:
            chosen = paths if model == "s" else paths[: options.few]
            result = compare(options.program, model, chosen, options.threads, pathlib.Path(folder))
        report["models"].append(result)
        print(json.dumps(result), flush=True)
    if options.output:
        options.output.write_text(json.dumps(report, indent=1) + "\n")
    sys.exit(0 if all(result["within_bounds"] for result in report["models"]) else 1)


if __name__ == "__main__":
    main()
