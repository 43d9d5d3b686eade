#!/usr/bin/env python3
"""Writes the model's goldens in tests/golden: what torchvision's EfficientNet answers, counts and learns.

    scripts/make_golden.py [NAME ...]     # all, or those whose name begins with NAME

Weights, pictures and masks come from a formula that tests/support/formula.h computes to the same bits, so a golden holds
answers only. torchvision runs in float64: a golden is the true value, and the tolerance of a test is its own rounding.
Needs torch and torchvision (Debian: python3-torchvision).
"""

import functools
import json
import math
import pathlib
import random
import sys

import numpy
import torch
from torch import nn
from torchvision.models import efficientnet
from torchvision.ops import StochasticDepth

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"
MAX_BYTES = 50_000
GAMMA = numpy.uint64(0x9E3779B97F4A7C15)


# --- the formula -----------------------------------------------------------------------------------------------------


def name_hash(name):
    """FNV-1a, 64 bits."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = ((state ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return state


def bits24(name, count):
    """The top 24 bits of SplitMix64 started at the name's hash."""
    with numpy.errstate(over="ignore"):
        z = numpy.uint64(name_hash(name)) + GAMMA * numpy.arange(1, count + 1, dtype=numpy.uint64)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z = z ^ (z >> numpy.uint64(31))
    return (z >> numpy.uint64(40)).astype(numpy.int64)


def uniform(name, *shape):
    """float32 in [-1, 1), exact."""
    values = (bits24(name, math.prod(shape)) - 2**23).astype(numpy.float32) * numpy.float32(2.0**-23)
    return torch.from_numpy(values.reshape(shape))


def weight(name, shape):
    """Convolutions and Linear near unit gain, BatchNorm's weights around 1, biases around 0."""
    values = uniform(name, *shape)
    if len(shape) == 1:
        return values * 0.25 + (1.0 if name.endswith("weight") else 0.0)
    gain = 6.0 if len(shape) == 4 else 3.0
    return values * float(numpy.float32(math.sqrt(gain / math.prod(shape[1:]))))


def pictures(name, n, height, width):
    """Noise, 8x8 patches and a tone per picture and channel: pictures must differ in what pooling keeps."""
    rows, columns = (height + 7) // 8, (width + 7) // 8
    noise = uniform(name, n, 3, height, width)
    tone = uniform(name + "/tone", n, 3, 1, 1)
    patch = uniform(name + "/patch", n, 3, rows, columns)
    patch = patch.repeat_interleave(8, 2).repeat_interleave(8, 3)[:, :, :height, :width]
    return (noise * 0.25 + tone) + patch


def labels(n, classes):
    return (torch.arange(n) * 3 + 1) % classes


def keep_mask(name, count, rate):
    """1 where the formula's number in [0, 1) is at least `rate`."""
    return torch.from_numpy((bits24(name, count) * 2.0**-24 >= rate).astype(numpy.float64))


# --- torchvision's network from the rules of the config --------------------------------------------------------------


def build(model):
    """torchvision's EfficientNet for the "model" object of a config."""
    if "stages" not in model:
        network = getattr(efficientnet, model["arch"])(
            num_classes=model["num_classes"], stochastic_depth_prob=model.get("stochastic_depth", 0.2)
        )
        network.classifier[0].p = model.get("dropout", network.classifier[0].p)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = model.get("bn_momentum", 0.1)
        return network

    def multiplier(key, block=None):
        own = model.get(block, {}).get(key, 1.0) if block else 1.0
        return model.get(key, 1.0) * own

    channels = stem = efficientnet.MBConvConfig.adjust_channels(model["stem_channels"], multiplier("width_mult"))
    rows = []
    for stage in model["stages"]:
        block = stage["block"]
        config = efficientnet.MBConvConfig if block == "mbconv" else efficientnet.FusedMBConvConfig
        out = config.adjust_channels(stage["channels"], multiplier("width_mult", block))
        layers = efficientnet.MBConvConfig.adjust_depth(stage["layers"], multiplier("depth_mult", block))
        rows.append(config(stage["expand"], stage["kernel"], stage["stride"], channels, out, layers))
        channels = out
    network = efficientnet.EfficientNet(
        rows,
        dropout=model.get("dropout", 0.2),
        stochastic_depth_prob=model.get("stochastic_depth", 0.2),
        num_classes=model["num_classes"],
        norm_layer=functools.partial(nn.BatchNorm2d, eps=model["bn_eps"], momentum=model.get("bn_momentum", 0.1)),
        last_channel=model["head_channels"],
    )
    assert network.features[0][0].out_channels == stem
    network.features[0][0].stride = (model.get("stem_stride", 2),) * 2
    return network


def formula_network(model):
    network = build(model).double()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(weight(name, parameter.shape))
    return network


def feed_masks(network, on):
    """Stochastic depth and dropout by the formula's masks, or not at all."""

    def depth(index, module, x):
        keep = keep_mask(f"rows/{index}", x.shape[0], module.p).view(-1, 1, 1, 1)
        return x * (keep / (1.0 - module.p)) if on else x

    def dropout(module, x):
        keep = keep_mask("units", x.numel(), module.p).view_as(x)
        return x * (keep / (1.0 - module.p)) if on else x

    for index, module in enumerate(m for m in network.modules() if isinstance(m, StochasticDepth)):
        module.forward = functools.partial(depth, index, module)
    network.classifier[0].forward = functools.partial(dropout, network.classifier[0])


# --- what is recorded ------------------------------------------------------------------------------------------------


def samples(tensor):
    """L2 norm, first, middle and last entry."""
    flat = tensor.detach().flatten()
    return [flat.norm().item(), flat[0].item(), flat[len(flat) // 2].item(), flat[-1].item()]


def answers(model, height, width, batch, calibration_steps=3, masks=False):
    """Evaluation logits with the statistics of a few training batches, and all that one more training step gives.

    Fresh statistics would hide the pictures: eval logits then hardly depend on them.
    """
    network = formula_network(model)
    feed_masks(network, on=False)
    network.train()
    with torch.no_grad():
        for step in range(calibration_steps):
            network(pictures(f"calibration/{step}", batch, height, width).double())
    probe = pictures("probe", batch, height, width).double()
    network.eval()
    with torch.no_grad():
        evaluated = network(probe)
    spread = (evaluated - evaluated.mean(0)).abs().max() / evaluated.abs().max()
    assert spread > 0.1, f"the pictures hardly change the logits ({spread:.1e}): such a golden proves nothing"

    feed_masks(network, on=masks)
    network.train()
    logits = network(probe)
    loss = nn.functional.cross_entropy(logits, labels(batch, model["num_classes"]))
    loss.backward()
    return {
        "model": model,
        "height": height,
        "width": width,
        "batch": batch,
        "calibration_steps": calibration_steps,
        "masks": masks,
        "eval_logits": evaluated.tolist(),
        "train_logits": logits.tolist(),
        "loss": loss.item(),
        "gradients": [samples(p.grad) for p in network.parameters()],
        "statistics": [samples(b) for b in network.buffers() if b.dim() == 1],
    }


def adam(model, size, batch, steps, lr):
    network = formula_network(model)
    feed_masks(network, on=False)
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        logits = network(pictures(f"step/{step}", batch, size, size).double())
        loss = nn.functional.cross_entropy(logits, labels(batch, model["num_classes"]))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"model": model, "size": size, "batch": batch, "lr": lr, "losses": losses}


def count(model, height, width):
    network = build(model).eval()
    macs = 0

    def add(module, _, output):
        nonlocal macs
        positions = output[0, 0].numel() if isinstance(module, nn.Conv2d) else 1
        macs += module.weight.numel() * positions

    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(add)
    with torch.no_grad():
        network(torch.zeros(1, 3, height, width))
    return {
        "model": model,
        "height": height,
        "width": width,
        "parameters": sum(p.numel() for p in network.parameters()),
        "macs": macs,
        "blocks": sum(isinstance(m, StochasticDepth) for m in network.modules()),
    }


def random_model(rng):
    def multipliers():
        return {"width_mult": round(rng.uniform(0.3, 1.8), 3), "depth_mult": round(rng.uniform(0.1, 1.8), 3)}

    stages = [
        {
            "block": rng.choice(["mbconv", "fused_mbconv"]),
            "expand": rng.choice([1, 2, 3, 4, 6]),
            "kernel": rng.choice([1, 3, 5, 7]),
            "stride": rng.choice([1, 2]),
            "channels": rng.randint(1, 160),
            "layers": rng.randint(1, 5),
        }
        for _ in range(rng.randint(1, 5))
    ]
    return {
        "stages": stages,
        **multipliers(),
        "mbconv": multipliers(),
        "fused_mbconv": multipliers(),
        "stem_channels": rng.randint(1, 48),
        "stem_stride": rng.choice([1, 2]),
        "head_channels": rng.randint(1, 600),
        "bn_eps": 1e-3,
        "num_classes": rng.randint(1, 50),
    }


def state_order(model, names):
    entries = [f"{name} {list(value.shape)}" for name, value in build(model).state_dict().items()]
    text = "\n".join(entries)
    result = {"model": model, "count": len(entries), "hash": f"{name_hash(text):016x}"}
    return {**result, "entries": entries} if names else result


# --- the cases -------------------------------------------------------------------------------------------------------


def one_block(block, expand, kernel, stride, stem=8, channels=8, layers=1):
    """A network around one kind of block; stride 1 with equal channels has the residual."""
    row = {"block": block, "expand": expand, "kernel": kernel, "stride": stride, "channels": channels, "layers": layers}
    return {
        "stages": [row],
        "stem_channels": stem,
        "head_channels": 24,
        "bn_eps": 1e-3,
        "bn_momentum": 0.5,
        "num_classes": 5,
    }


BLOCKS = {
    "fused_expand1": one_block("fused_mbconv", 1, 3, 1),
    "fused_expand1_stride2": one_block("fused_mbconv", 1, 3, 2, channels=16),
    "fused_expand4": one_block("fused_mbconv", 4, 3, 1),
    "fused_expand4_stride2": one_block("fused_mbconv", 4, 3, 2, channels=16),
    "mbconv_expand4": one_block("mbconv", 4, 3, 1),
    "mbconv_expand6_stride2": one_block("mbconv", 6, 3, 2, channels=16),
    "mbconv_kernel5": one_block("mbconv", 6, 5, 1),
    "mbconv_kernel5_stride2": one_block("mbconv", 6, 5, 2, channels=16),
    "mbconv_expand1": one_block("mbconv", 1, 3, 1, stem=32, channels=16),
    "mbconv_no_residual": one_block("mbconv", 4, 3, 1, channels=16, layers=2),
}

S = {"arch": "efficientnet_v2_s", "num_classes": 10, "bn_momentum": 0.5}
B0 = {"arch": "efficientnet_b0", "num_classes": 10, "bn_momentum": 0.5}
NOISY = {**S, "stochastic_depth": 0.8, "dropout": 0.5}


def cases():
    for name, model in BLOCKS.items():
        yield f"block_{name}", functools.partial(answers, model, 13, 18, 3)
    yield "model_s_32", functools.partial(answers, S, 32, 32, 16)
    yield "model_s_128", functools.partial(answers, S, 128, 128, 2)
    yield "model_s_97x61", functools.partial(answers, S, 97, 61, 3)
    yield "model_b0_64", functools.partial(answers, B0, 64, 64, 4, calibration_steps=6)
    yield "model_s_masks", functools.partial(answers, NOISY, 32, 32, 16, masks=True)
    yield "model_s_adam", functools.partial(adam, S, 32, 16, 5, 1e-4)
    yield "model_s_adam_slow", functools.partial(adam, S, 32, 16, 5, 1e-5)
    yield "model_state_s", functools.partial(state_order, S, names=False)
    yield "model_state_small", functools.partial(state_order, {**BLOCKS["mbconv_no_residual"], "stages": [
        BLOCKS["fused_expand4"]["stages"][0], BLOCKS["mbconv_no_residual"]["stages"][0]]}, names=True)

    named = [("efficientnet_v2_s", 97, 61), ("efficientnet_v2_m", 128, 128), ("efficientnet_v2_l", 128, 128),
             ("efficientnet_b0", 224, 224)]
    yield "count_named", lambda: [count({"arch": a, "num_classes": 1000}, h, w) for a, h, w in named]
    rng = random.Random(2021)
    tables = [(random_model(rng), rng.randint(8, 70), rng.randint(8, 70)) for _ in range(50)]
    yield "count_random", lambda: [count(*table) for table in tables]


def nine_digits(value):
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, list):
        return [nine_digits(v) for v in value]
    if isinstance(value, dict):
        return {k: nine_digits(v) for k, v in value.items()}
    return value


def lines(value):
    """One line per entry of the outermost lists, so that a change shows where it is."""
    if isinstance(value, dict):
        return "{\n" + ",\n".join(f"{json.dumps(k)}: {lines(v)}" for k, v in value.items()) + "\n}"
    if isinstance(value, list) and value and isinstance(value[0], (list, dict, str)):
        return "[\n" + ",\n".join(json.dumps(v, separators=(",", ":")) for v in value) + "\n]"
    return json.dumps(value, separators=(",", ":"))


def main(wanted):
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, make in cases():
        if wanted and not any(name.startswith(w) for w in wanted):
            continue
        text = lines(nine_digits(make())) + "\n"
        assert len(text) <= MAX_BYTES, f"{name}: {len(text)} bytes"
        (GOLDEN / f"{name}.json").write_text(text)
        print(f"{name}: {len(text)} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
