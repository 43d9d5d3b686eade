"""What bench_peers.py and gpu_peers.py share: one timed run of this program, and torchvision's network as its peer."""

import json
import os
import pathlib
import platform
import subprocess
import tempfile
import time

import torch
import torchvision

ROOT = pathlib.Path(__file__).resolve().parent.parent
CLASSES = 10
SEED = 42


def quantile(values, q):
    """Linear between the two nearest."""
    ordered = sorted(values)
    position = q * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def median(values):
    return quantile(values, 0.5)


def run_ours(program, image_size, batch_size, *, precision, device, threads, steps, warmup, mode="train",
             data=None):
    """The document of `effnetv2 bench --json` for one configuration; `precision` is data.decode for mode data."""
    config = {
        "device": device,
        "precision": precision,
        "threads": threads,
        "model": {"num_classes": CLASSES},
        "data": {"image_size": image_size},
        "train": {"batch_size": batch_size, "optimizer": {"type": "adam", "lr": 1e-4}},
    }
    if mode == "data":
        del config["precision"]
        config["data"].update({"root": str(data.resolve()), "cache": "none", "decode": precision, "workers": threads})
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "bench.json"
        path.write_text(json.dumps(config))
        command = [str(program), "bench", str(path), "--mode", mode, "--quiet", "--json", "--steps", str(steps)]
        command += ["--warmup", str(warmup)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\nexited with {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def timed(step, steps, warmup):
    """Milliseconds of each of `steps` calls after `warmup` others, on the CPU."""
    for _ in range(warmup):
        step()
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        times.append((time.perf_counter() - start) * 1e3)
    return times


class Torchvision:
    """torchvision's efficientnet_v2_s and one batch of random images; self.step() is what is timed."""

    def __init__(self, image_size, batch_size, *, precision, device, layout="channels_last", compiled=False):
        torch.manual_seed(SEED)
        self.device = torch.device(device)
        self.bf16 = precision == "bf16"
        memory_format = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        self.module = torchvision.models.efficientnet_v2_s(num_classes=CLASSES).to(self.device, memory_format=memory_format)
        # True or a mode of torch.compile
        mode = {"mode": compiled} if isinstance(compiled, str) else {}
        self.network = torch.compile(self.module, dynamic=False, **mode) if compiled else self.module
        self.images = torch.randn(batch_size, 3, image_size, image_size, device=self.device).contiguous(
            memory_format=memory_format
        )


    def times(self, steps, warmup):
        """Milliseconds of each of `steps` steps after `warmup` others."""
        if self.device.type == "cpu":
            return timed(self.step, steps, warmup)
        for _ in range(warmup):
            self.step()
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(steps + 1)]
        marks[0].record()
        for mark in marks[1:]:
            self.step()
            mark.record()
        torch.cuda.synchronize()
        return [a.elapsed_time(b) for a, b in zip(marks, marks[1:])]


class TorchvisionInference(Torchvision):
    """In eval mode."""

    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options)
        self.module.eval()

    def step(self):
        with torch.inference_mode(), torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            self.network(self.images)


class TorchvisionLoader:
    """Pictures of a folder squashed to a square by Pillow, in batches from a DataLoader: bytes, as ours are."""

    def __init__(self, folder, image_size, batch_size, workers):
        transform = torchvision.transforms.Compose(
            [torchvision.transforms.Resize((image_size, image_size)), torchvision.transforms.PILToTensor()]
        )
        pictures = torchvision.datasets.ImageFolder(folder, transform)
        self.loader = torch.utils.data.DataLoader(pictures, batch_size, shuffle=True, num_workers=workers)
        self.batches = iter(self.loader)

    def step(self):
        try:
            next(self.batches)
        except StopIteration:
            self.batches = iter(self.loader)
            next(self.batches)

    def times(self, steps, warmup):
        # workers run ahead: only the mean over many batches is the loader's pace
        for _ in range(warmup):
            self.step()
        start = time.perf_counter()
        for _ in range(steps):
            self.step()
        return [(time.perf_counter() - start) * 1e3 / steps]


class TorchvisionTraining(Torchvision):
    """With cross-entropy and Adam."""

    def __init__(self, image_size, batch_size, **options):
        super().__init__(image_size, batch_size, **options)
        self.module.train()
        fused = {"fused": True} if self.device.type == "cuda" else {}
        self.optimizer = torch.optim.Adam(self.module.parameters(), lr=1e-4, **fused)
        self.labels = torch.randint(CLASSES, (batch_size,), device=self.device)

    def step(self):
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            logits = self.network(self.images)
        loss = torch.nn.functional.cross_entropy(logits.float(), self.labels)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


def machine():
    """Facts that a reader needs to judge a timing."""
    model, flags = "unknown", ""
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            model = value.strip()
        elif key.strip() == "flags":
            flags = value
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "instructions": [flag for flag in wanted if flag in flags.split()],
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "load_before": round(os.getloadavg()[0], 2),
    }


def program_version(program):
    done = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def markdown_table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)
