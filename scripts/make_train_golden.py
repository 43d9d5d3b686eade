#!/usr/bin/env python3
"""Records what PyTorch's schedules and loss give, for tests/unit/train. Debian's python3-torch is enough.

Writes tests/golden/train_plateau.json, train_schedules.json and train_cross_entropy.json.
"""

import json
import pathlib
import random
import warnings

import torch
from torch.optim import lr_scheduler

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"
warnings.simplefilter("ignore")


def optimizer(lr):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def rate(opt):
    return opt.param_groups[0]["lr"]


def write(name, document):
    text = json.dumps(document, separators=(",", ":"))
    text = text.replace('{"', '\n{"') + "\n"
    (GOLDEN / name).write_text(text.lstrip("\n"))


def plateau_traces():
    rng = random.Random(1)
    traces = []
    for index in range(24):
        mode = ("min", "max")[index % 2]
        setting = {
            "threshold_mode": ("rel", "abs")[index // 2 % 2],
            "factor": rng.choice([0.1, 0.5, 0.9, 0.3]),
            "patience": rng.choice([0, 1, 2, 3, 5]),
            "threshold": rng.choice([0.0, 1e-4, 1e-2, 0.1]),
            "cooldown": rng.choice([0, 0, 1, 4]),
            "min_lr": rng.choice([0.0, 0.0, 1e-3, 2e-2]),
            "eps": rng.choice([1e-8, 1e-8, 1e-3]),
        }
        base = rng.choice([0.1, 1e-3, 0.7])
        opt = optimizer(base)
        scheduler = lr_scheduler.ReduceLROnPlateau(opt, mode=mode, **setting)
        level, values, rates = 1.0, [], []
        # a few curves go below zero, where a relative threshold turns round
        drop = rng.choice([0.02, 0.05, 0.1])
        for epoch in range(60):
            level -= drop * (rng.random() - 0.25) * 0.95**epoch
            value = round(level + rng.uniform(-0.03, 0.03), 4)
            if rng.random() < 0.1 and values:
                value = min(values) if mode == "min" else max(values)
            value = value if mode == "min" else round(1.0 - value, 4)
            scheduler.step(value)
            values.append(value)
            rates.append(rate(opt))
        traces.append({"maximise": mode == "max", "lr": base, **setting, "values": values, "rates": rates})
    assert sum(len(set(trace["rates"])) > 2 for trace in traces) > 12
    return traces


def rates_of(make, lr, epochs):
    opt = optimizer(lr)
    scheduler = make(opt)
    rates = []
    for epoch in range(epochs):
        rates.append(rate(opt))
        if epoch + 1 < epochs:
            scheduler.step()
    return rates


def schedules():
    step, cosine, onecycle = [], [], []
    for lr, epochs, step_epochs, gamma in [(0.1, 20, 6, 0.1), (1.0, 30, 1, 0.97), (3e-4, 9, 20, 0.5)]:
        rates = rates_of(lambda o: lr_scheduler.StepLR(o, step_epochs, gamma), lr, epochs)
        step.append({"lr": lr, "epochs": epochs, "step_epochs": step_epochs, "gamma": gamma, "rates": rates})
    for lr, epochs, final in [(0.1, 20, 0.0), (1e-3, 7, 1e-5), (0.5, 50, 0.05), (1.0, 1, 0.0)]:
        rates = rates_of(lambda o: lr_scheduler.CosineAnnealingLR(o, epochs, final), lr, epochs)
        cosine.append({"lr": lr, "epochs": epochs, "final_lr": final, "rates": rates})
    for lr, epochs, steps, pct, div, final in [
        (0.1, 5, 10, 0.3, 25.0, 1e4),
        (1e-3, 3, 7, 0.45, 10.0, 100.0),
        (0.4, 40, 1, 0.1, 4.0, 1e4),
        (1.0, 2, 9, 0.9, 25.0, 1e3),
    ]:
        rates = rates_of(
            lambda o: lr_scheduler.OneCycleLR(
                o, lr, total_steps=epochs * steps, pct_start=pct, cycle_momentum=False,
                div_factor=div, final_div_factor=final,
            ),
            lr, epochs * steps,
        )
        onecycle.append({"lr": lr, "epochs": epochs, "steps_per_epoch": steps, "pct_start": pct,
                         "div_factor": div, "final_div_factor": final, "rates": rates})
    return {"step": step, "cosine": cosine, "onecycle": onecycle}


def cross_entropies():
    torch.manual_seed(3)
    cases = []
    for n, classes, smoothing, scale in [
        (1, 2, 0.0, 1.0), (4, 10, 0.0, 1.0), (4, 10, 0.1, 3.0), (7, 3, 0.5, 10.0), (5, 6, 0.9, 40.0), (3, 10, 0.1, 0.0)
    ]:
        logits = (torch.randn(n, classes) * scale).mul(8).round().div(8).requires_grad_()
        labels = torch.randint(classes, (n,))
        loss = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=smoothing)
        loss.backward()
        cases.append({"logits": logits.tolist(), "labels": labels.tolist(), "label_smoothing": smoothing,
                      "loss": loss.item(), "grad": logits.grad.tolist()})
    return cases


if __name__ == "__main__":
    write("train_plateau.json", plateau_traces())
    write("train_schedules.json", schedules())
    write("train_cross_entropy.json", cross_entropies())
