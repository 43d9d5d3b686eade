#!/usr/bin/env python3
"""Times this program beside torchvision's network in PyTorch on a card, in turns, and writes OUT.json and OUT.md.

    scripts/gpu_peers.py --program build/cuda/effnetv2 [--out docs/results/gpu] [--tests FILE.json]

Both in bf16 (the peer by autocast), channels_last, with cuDNN's own choice of kernels and Adam (the peer's fused); the peer
eager and, while --seconds last, compiled in each of --modes, of which the best counts. Images lie on the card for both.
Each is a process of its own that stays warm; rounds alternate in an order that changes. Files are written anew after
each figure, so whatever ends this early leaves what was measured; what was not is null. OUT-details.json holds the
rounds, the driver's memory and where our time goes.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# what is wanted: ours over eager, ours over the best compiled
ROWS = {
    "train:32x128": (5.0, 1.5),
    "train:128x128": (2.0, 1.3),
    "train:384x128": (1.5, 1.15),
    "infer:384x128": (1.5, 1.1),
}
MODES = "reduce-overhead,default,max-autotune"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=ROOT / "build/cuda/effnetv2", type=pathlib.Path)
    parser.add_argument("--rows", default=",".join(ROWS), help="train or infer:image size x batch size, comma separated")
    parser.add_argument("--modes", default=MODES, help="of torch.compile, in order of trial; empty for none")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=20, help="timed in each round")
    parser.add_argument("--warmup", type=int, default=10, help="before the first")
    parser.add_argument("--seconds", type=float, default=400.0, help="for everything")
    parser.add_argument("--tests", type=pathlib.Path, help="what the tests did, to put into OUT.json")
    parser.add_argument("--training", type=pathlib.Path, help="what gpu_train.py saw, to put beside the tests")
    parser.add_argument("--revision", help="for a program that was built outside its repository and does not know")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs/results/gpu")
    parser.add_argument("--fill-cache", action="store_true", help="compile all rows, so that a later call need not; no timing")
    parser.add_argument("--peer", help=argparse.SUPPRESS)  # be one: "train 32 128 eager"
    return parser.parse_args()


class Failed(Exception):
    pass


class Contestant:
    """A process that answers with one JSON line when it is ready, and with one more for each line it is sent."""

    def __init__(self, name, command, deadline):
        self.name, self.rounds, self.lines = name, [], queue.Queue()
        self.errors = tempfile.TemporaryFile("w+")
        # in a session of its own: a compiler has workers, which would live on
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, start_new_session=True
        )
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self.first = self._next(deadline)  # warm-up, not timed
        except Failed:
            self.close()
            raise

    def _read(self):
        for line in self.child.stdout:
            if line.lstrip().startswith("{"):
                self.lines.put(line)
        self.lines.put(None)

    def _next(self, deadline):
        try:
            line = self.lines.get(timeout=max(0.1, deadline - time.monotonic()))
        except queue.Empty:
            raise Failed(f"{self.name}: the time is up") from None
        if line is None:
            self.errors.seek(0)
            said = self.errors.read().strip().splitlines() or ["no reason given"]
            raise Failed(f"{self.name}: exited with {self.child.wait()}: {said[-1]}")
        return json.loads(line)

    def round(self, deadline):
        try:
            self.child.stdin.write("\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            pass  # the next line says why
        self.rounds.append(self._next(deadline))

    def last_words(self, deadline):
        self.child.stdin.close()
        return self._next(deadline)

    def driver_bytes(self):
        """What the driver says this process holds, or None where it does not say."""
        with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
            command = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
            for line in done.stdout.splitlines():
                pid, mebibytes = line.split(",")
                if int(pid) == self.child.pid:
                    return int(mebibytes) * 2**20
        return None

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()
        self.errors.close()


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def sizes_of(work):
    mode, size = work.split(":")
    return mode, *map(int, size.split("x"))


def start_ours(options, work, deadline):
    mode, image_size, batch_size = sizes_of(work)
    config = {
        "device": "cuda",
        "precision": "bf16",
        "model": {"num_classes": 10},
        "data": {"image_size": image_size},
        "train": {"batch_size": batch_size, "optimizer": {"type": "adam", "lr": 1e-4}},
    }
    path = pathlib.Path(options.folder) / f"{mode}-{image_size}.json"
    path.write_text(json.dumps(config))
    command = [str(options.program), "bench", str(path), "--mode", mode, "--quiet", "--paced", "--profile"]
    command += ["--steps", str(options.steps), "--warmup", str(options.warmup)]
    return Contestant("ours", command, deadline)


def start_peer(options, work, form, deadline):
    command = [sys.executable, __file__, "--peer", " ".join(map(str, (*sizes_of(work), form)))]
    command += ["--steps", str(options.steps), "--warmup", str(options.warmup)]
    return Contestant(form, command, deadline)


def say(text):
    print(text, file=sys.stderr, flush=True)


class Report:
    def __init__(self, options):
        self.options = options
        program = version_of(options.program)
        python = [sys.executable, "-c", "import json, torch, torchvision; print(json.dumps("
                  "[torch.cuda.get_device_name(0), torch.__version__, torchvision.__version__]))"]
        card, torch_version, torchvision_version = json.loads(
            subprocess.run(python, stdout=subprocess.PIPE, check=True).stdout
        )
        self.document = {
            "card": card,
            "date": datetime.date.today().isoformat(),
            "versions": {
                "effnetv2": options.revision or program.get("revision"),
                "LibTorch": program.get("LibTorch"),
                "CUDA": program.get("CUDA"),
                "torch": torch_version,
                "torchvision": torchvision_version,
            },
            "rows": [
                {"work": name_of(work), "ours": None, "eager": None, "compiled": None, "peak_memory_ours": None,
                 "peak_memory_eager": None}
                for work in options.works
            ],
            "tests": read_json(options.tests) or {},
        }
        if training := read_json(options.training):
            self.document["tests"]["quickstart"] = training
        self.details = {
            "units": {"rounds": "ms a step, median of a round", "memory": "bytes"},
            "rounds": options.rounds,
            "steps": options.steps,
            "rows": {work: {} for work in options.works},
            "faults": [],
        }
        self.write()

    def row(self, work):
        return self.document["rows"][self.options.works.index(work)]

    def fault(self, work, text):
        say(f"{work}: {text}")
        self.details["faults"].append(f"{work}: {text}")
        self.write()

    def note(self, work, contestant):
        """Keeps what a contestant's rounds gave."""
        rounds = contestant.rounds
        if not rounds:
            return
        kept = self.details["rows"][work].setdefault(contestant.name, {"rounds": []})
        kept["rounds"] += [round(one["median_step_ms"], 4) for one in rounds]
        kept["memory"] = max(kept.get("memory", 0), *(one["peak_memory_bytes"] for one in rounds))
        if (driver := contestant.driver_bytes()) is not None:
            kept["driver_memory"] = driver
        contestant.rounds = []
        self.settle(work)

    def settle(self, work):
        measured = self.details["rows"][work]
        batch_size = sizes_of(work)[2]
        rate = {name: round(batch_size * 1e3 / median(one["rounds"]), 1) for name, one in measured.items() if "rounds" in one}
        row = self.row(work)
        row["ours"], row["eager"] = rate.get("ours"), rate.get("eager")
        row["compiled"] = max((value for name, value in rate.items() if name not in ("ours", "eager")), default=None)
        for side in ("ours", "eager"):
            row[f"peak_memory_{side}"] = measured.get(side, {}).get("memory")
        say(f"{work}: images/s {rate}")
        self.write()

    def write(self):
        out = self.options.out
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out.with_name(out.name + ".json"), json.dumps(self.document, indent=2) + "\n")
        write_whole(out.with_name(out.name + "-details.json"), json.dumps(self.details, indent=1) + "\n")
        write_whole(out.with_name(out.name + ".md"), to_markdown(self.document, self.details, self.options.works))


def write_whole(path, text):
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.replace(path)


def read_json(path):
    try:
        return json.loads(path.read_text()) if path else None
    except (OSError, ValueError):
        return None


def version_of(program):
    done = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


def name_of(work):
    mode, image_size, batch_size = sizes_of(work)
    return f"{mode} {image_size} px, batch {batch_size}"


def in_turns(report, work, contestants, deadline):
    """Rounds of each; what was measured is kept even if one of them fails."""
    try:
        for number in range(report.options.rounds):
            for one in contestants if number % 2 == 0 else reversed(contestants):
                one.round(deadline)
    finally:
        for one in contestants:
            report.note(work, one)


def compare(report, work, forms, deadline, profile):
    """Ours beside one peer after another, each alone with ours on the card."""
    options = report.options
    try:
        ours = start_ours(options, work, deadline)
    except Failed as failure:
        report.fault(work, str(failure))
        ours = None
    try:
        for form in forms:
            if time.monotonic() > deadline:
                report.fault(work, f"{form}: the time is up")
                continue
            try:
                peer = start_peer(options, work, form, deadline)
            except Failed as failure:
                report.fault(work, str(failure))
                continue
            try:
                in_turns(report, work, [one for one in (ours, peer) if one], deadline)
            except Failed as failure:
                report.fault(work, str(failure))
                if str(failure).startswith("ours"):
                    ours.close()
                    ours = None
            finally:
                peer.close()
        if ours and not report.row(work)["ours"]:  # every peer failed
            with contextlib.suppress(Failed):
                ours.round(deadline)
            report.note(work, ours)
        if ours and profile:
            try:
                report.details["rows"][work]["profile"] = ours.last_words(deadline).get("profile")
                report.write()
            except Failed as failure:
                report.fault(work, f"profile: {failure}")
    finally:
        if ours:
            ours.close()


def fill_cache(options):
    """Compiles every row in a process of its own, for TORCHINDUCTOR_CACHE_DIR."""
    deadline = time.monotonic() + options.seconds
    # autotuning needs a quiet card: it is left to the timing
    modes = [mode for mode in options.modes.split(",") if mode and not mode.startswith("max-autotune")]

    def compile_row(work):
        for mode in modes:
            try:
                start_peer(options, work, mode, deadline).close()
                say(f"{work}: {mode} is compiled")
            except Failed as failure:
                say(f"{work}: {failure}")

    threads = [threading.Thread(target=compile_row, args=(work,)) for work in options.works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def be_peer(options):
    import torch

    import peers

    mode, image_size, batch_size, form = options.peer.split()
    torch.backends.cudnn.benchmark = True  # as our program does
    kind = peers.TorchvisionTraining if mode == "train" else peers.TorchvisionInference
    network = kind(
        int(image_size), int(batch_size), precision="bf16", device="cuda", compiled=None if form == "eager" else form
    )
    network.times(1, options.warmup)  # compiles and chooses kernels
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    network.times(1, 0)
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        times = network.times(options.steps, 1)
        print(json.dumps({"median_step_ms": median(times), "peak_memory_bytes": torch.cuda.max_memory_reserved(),
                          "peak_tensor_bytes": torch.cuda.max_memory_allocated()}), flush=True)


def to_markdown(report, details, works):
    def number(value, digits=0):
        return "not measured" if value is None else f"{value:.{digits}f}"

    def ratio(row, side, wanted):
        if not row["ours"] or not row[side]:
            return "not measured" + (f" (wanted {wanted})" if wanted else "")
        value = row["ours"] / row[side]
        return f"{value:.2f}" + (f" (wanted {wanted}: {'met' if value >= wanted else 'not met'})" if wanted else "")

    def gigabytes(value):
        return "not measured" if value is None else f"{value / 2**30:.2f}"

    lines = ["| work | ours, images/s | eager | ours / eager | compiled, best mode | ours / compiled "
             "| peak memory ours, GiB | eager | driver's, ours | eager |", "|" + " --- |" * 10]
    for work, row in zip(works, report["rows"]):
        measured = details["rows"][work]
        compiled = {name: median(one["rounds"]) for name, one in measured.items() if name not in ("ours", "eager", "profile")}
        mode = f" ({min(compiled, key=compiled.get)})" if compiled else ""
        eager, best = ROWS.get(work, (None, None))
        cells = [row["work"], number(row["ours"]), number(row["eager"]), ratio(row, "eager", eager),
                 number(row["compiled"]) + mode, ratio(row, "compiled", best), gigabytes(row["peak_memory_ours"]),
                 gigabytes(row["peak_memory_eager"])]
        cells += [gigabytes(measured.get(side, {}).get("driver_memory")) for side in ("ours", "eager")]
        lines.append("| " + " | ".join(cells) + " |")
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    lines += ["", f"{report['card']}, {report['date']}. {versions}. Medians of at least {details['rounds']} rounds of "
              f"{details['steps']} steps in turns; peak memory is what the allocator held."]
    tests = report["tests"]
    if "passed" in tests:
        lines.append(f"Tests: {tests['passed']} passed, {tests['failed']} failed, {tests['skipped']} skipped"
                     + (f", {tests['not_run']} not run for want of time." if tests.get("not_run") else "."))
    if quickstart := tests.get("quickstart"):
        card, cpu = quickstart["evaluations"]
        lines.append(f"The quickstart in {quickstart['seconds']} s: top-1 {card['top1']:.3f}, loss {card['loss']:.5f} on the "
                     f"card, {cpu['loss']:.5f} on the CPU.")
    for work in works:
        if profile := details["rows"][work].get("profile"):
            lines += ["", f"## Where the time goes: {name_of(work)}", ""] + profile_table(profile)
    if details["faults"]:
        lines += ["", "What failed:", ""] + [f"- {fault}" for fault in details["faults"]]
    return "\n".join(lines) + "\n"


def profile_table(profile):
    most = profile["ceilings"]
    lines = [f"Ceilings measured in the same run: {most['bf16_gflops_per_second'] / 1e3:.0f} TFLOP/s in bfloat16, "
             f"{most['gbytes_per_second']:.0f} GB/s copied.", "",
             "| operation | calls | ms | share | of its ceiling |", "|" + " --- |" * 5]
    for one in profile["operations"]:
        if one["share"] >= 0.01:
            lines.append(f"| {one['name']} | {one['calls']:.0f} | {one['ms']:.3f} | {one['share']:.1%} "
                         f"| {one['share_of_ceiling']:.0%} |")
    return lines


def main():
    options = parse_arguments()
    options.works = options.rows.split(",")
    if options.peer:
        be_peer(options)
        return
    if options.fill_cache:
        fill_cache(options)
        return
    end = time.monotonic() + options.seconds
    modes = [mode for mode in options.modes.split(",") if mode]
    with tempfile.TemporaryDirectory() as options.folder:
        report = Report(options)
        # eager first: what is wanted most is measured even if compiling takes all that is left
        passes = [["eager"]] + [[mode] for mode in modes]
        left = len(passes) * len(options.works)
        for number, forms in enumerate(passes):
            for work in options.works:
                now = time.monotonic()
                # no part may take the others' time: at most three times its share
                deadline = min(end, now + max(30.0, 3 * (end - now) / left))
                left -= 1
                if now >= end:
                    report.fault(work, f"{forms[0]}: the time is up")
                    continue
                compare(report, work, forms, deadline, profile=number == 0)
    print(report.options.out.with_name(report.options.out.name + ".md").read_text(), end="")
    missing = [row["work"] for row in report.document["rows"] if row["ours"] is None or row["eager"] is None]
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
