#!/usr/bin/python3
"""Times this program beside torchvision's network in PyTorch, on the CPU, in turns.

    scripts/bench_peers.py [--rounds 3] [--python PYTHON] [--out docs/results/cpu]

For each work it times ours in float32 and bfloat16, and the peer in eager form (NCHW and channels_last, float32 and
bfloat16) and, where its version has it, compiled; each in a fresh process with the same threads, batch and optimizer
(Adam). After a first round of all, ours and every peer within a half of the best peer's time, or of its best in float32,
go on in turns, in an order that changes from round to round. Ratios are taken within a round. Needs a Python with PyTorch and torchvision: by default
the one that runs this, on Debian python3-torchvision, which shares its LibTorch with this program; --python names
another for the peer. With --data DIR, a folder of class folders of JPEGs, it also times decoding and resizing them
beside torchvision's ImageFolder and PyTorch's DataLoader with as many workers. Writes OUT.json and OUT.md if asked, and a table to stdout.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys

import peers

WORKS = "train:32x128,train:128x32,train:384x4,infer:384x4,infer:384x1"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=peers.ROOT / "build/release/effnetv2", type=pathlib.Path)
    parser.add_argument("--python", default=sys.executable, help="the peer's")
    parser.add_argument("--works", default=WORKS, help="train or infer:image size x batch size, comma separated")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5, help="timed in each round")
    parser.add_argument("--warmup", type=int, default=2, help="before them")
    parser.add_argument("--data", type=pathlib.Path, help="pictures for the work data:128x32")
    parser.add_argument("--eager-only", action="store_true", help="leave out the compiled peer, which takes minutes")
    parser.add_argument("--out", type=pathlib.Path, help="writes OUT.json and OUT.md")
    parser.add_argument("--peer", help=argparse.SUPPRESS)  # be the peer: "train 32 128 eager channels_last fp32"
    return parser.parse_args()


def be_peer(options):
    import torch

    mode, image_size, batch_size, *configuration = options.peer.split()
    if mode == "data":
        loader = peers.TorchvisionLoader(options.data, int(image_size), int(batch_size), options.threads)
        json.dump({"ms": peers.median(loader.times(options.steps, options.warmup)), "bytes": peak_bytes()}, sys.stdout)
        return
    form, layout, precision = configuration
    torch.set_num_threads(options.threads)
    peer = peers.TorchvisionTraining if mode == "train" else peers.TorchvisionInference
    network = peer(
        int(image_size), int(batch_size), precision=precision, device="cpu", layout=layout, compiled=form == "compiled"
    )
    times = network.times(options.steps, options.warmup)
    json.dump({"ms": peers.median(times), "bytes": peak_bytes()}, sys.stdout)


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def peer_facts(options):
    """The peer's machine facts, and whether it can compile."""
    code = "import json,peers,torch; print(json.dumps([peers.machine(), hasattr(torch, 'compile')]))"
    done = subprocess.run(
        [options.python, "-c", code], cwd=pathlib.Path(__file__).parent, stdout=subprocess.PIPE, check=True
    )
    return json.loads(done.stdout)


def contestants(work, compiles):
    if work.startswith("data:"):
        return [("ours", "exact"), ("ours", "fast"), ("peer", "loader")]
    ours = [("ours", precision) for precision in ("fp32", "bf16")]
    eager = [f"eager {layout} {p}" for layout in ("channels_last", "nchw") for p in ("fp32", "bf16")]
    compiled = [f"compiled channels_last {p}" for p in ("fp32", "bf16")] if compiles else []
    return ours + [("peer", configuration) for configuration in eager + compiled]


def time_one(options, work, contestant):
    """{"ms", "bytes"}, or None for a peer that fails: a version may not do all."""
    side, configuration = contestant
    mode, size = work.split(":")
    image_size, batch_size = map(int, size.split("x"))
    steps = options.steps * (20 if mode == "data" else 1)  # a batch of pictures takes no longer than a step's twentieth
    if side == "ours":
        result = peers.run_ours(
            options.program, image_size, batch_size, mode=mode, precision=configuration, device="cpu",
            threads=options.threads, steps=steps, warmup=options.warmup, data=options.data,
        )
        return {"ms": result["mean_step_ms" if mode == "data" else "median_step_ms"], "bytes": result["peak_memory_bytes"]}
    command = [options.python, __file__, "--peer", f"{mode} {image_size} {batch_size} {configuration}"]
    command += ["--threads", str(options.threads), "--steps", str(steps), "--warmup", str(options.warmup)]
    command += ["--data", str(options.data)] if options.data else []
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        print(f"{work}, {configuration}: failed: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout)


def measure(options, work, everyone):
    times = {contestant: [] for contestant in everyone}

    def run(contestant):
        result = time_one(options, work, contestant)
        if result is not None:
            times[contestant].append(result)
            print(f"{work}: {' '.join(contestant)}: {result['ms']:.1f} ms", file=sys.stderr, flush=True)

    def median(contestant):
        return peers.median([t["ms"] for t in times[contestant]])

    def best(side, precision=""):
        return min((c for c in everyone if c[0] == side and c[1].endswith(precision) and times[c]), key=median)

    for contestant in everyone:
        run(contestant)
    plain = ("exact", "loader") if work.startswith("data:") else ("fp32", "fp32")
    # one slow moment must not put the fastest out
    limits = [(p, 1.5 * median(best("peer", p))) for p in ("", plain[1])]
    field = [
        c for c in everyone
        if times[c] and (c[0] == "ours" or any(c[1].endswith(p) and median(c) < limit for p, limit in limits))
    ]
    for number in range(1, options.rounds):
        for contestant in field if number % 2 == 0 else reversed(field):
            run(contestant)

    def compare(ours, peer):
        ratios = [p["ms"] / o["ms"] for o, p in zip(times[ours], times[peer])]
        return {
            "ours": ours[1], "peer": peer[1],
            "ours_ms": round(median(ours), 2),
            "peer_ms": round(median(peer), 2),
            "ours_bytes": max(t["bytes"] for t in times[ours]),
            "peer_bytes": max(t["bytes"] for t in times[peer]),
            "ratio": round(peers.median(ratios), 3),
            "ratio_spread": [round(min(ratios), 3), round(max(ratios), 3)],
        }

    return {
        "work": work,
        "best": compare(best("ours"), best("peer")),
        "plain": compare(best("ours", plain[0]), best("peer", plain[1])),
        "all": {" ".join(c): [round(t["ms"], 2) for t in measured] for c, measured in times.items()},
    }


def to_markdown(report):
    def cells(row):
        best, plain = row["best"], row["plain"]
        mode, size = row["work"].split(":")
        image_size, batch_size = size.split("x")
        return [
            f"{mode} {image_size} px, batch {batch_size}",
            f"{best['ours_ms']} ({best['ours']})",
            f"{best['peer_ms']} ({best['peer']})",
            f"**{best['ratio']}** ({best['ratio_spread'][0]} to {best['ratio_spread'][1]})",
            f"{plain['ratio']} ({plain['ratio_spread'][0]} to {plain['ratio_spread'][1]})",
            f"{best['ours_bytes'] / 1e6:.0f} / {best['peer_bytes'] / 1e6:.0f}",
        ]

    table = peers.markdown_table(
        ["work", "ours, ms", "torchvision's best, ms", "times as fast", "fp32 over fp32, exact over loader", "peak memory, MB"],
        [cells(row) for row in report["rows"]],
    )
    machine = report["machine"]
    return (
        "# Speed on a CPU beside torchvision\n\n```sh\nscripts/bench_peers.py --data DIR --out OUT    # --python: another "
        "PyTorch than Debian's\n```\n\nOurs in its faster precision beside torchvision's network in its fastest form, layout "
        "and precision; then both in float32 and, of the data, both decoding\nexactly. Data: decoding and resizing the "
        "JPEGs in DIR, beside ImageFolder and DataLoader with as many workers. Memory: ours / theirs.\n\n"
        f"{table}\n\n{report['threads']} threads; medians over {report['rounds']} rounds in turns of {report['steps']} "
        f"steps, least and most in brackets.\n"
        f"{machine['processor']}, {machine['cores']} cores ({', '.join(machine['instructions'])}); "
        f"LibTorch {report['program']['LibTorch']}, torch {machine['torch']}, torchvision {machine['torchvision']}, "
        f"Python {machine['python']}; revision {report['program']['revision']}; load before {machine['load_before']}.\n"
    )


def main():
    options = parse_arguments()
    if options.peer:
        be_peer(options)
        return
    if not options.program.exists():
        sys.exit(f"{options.program} is not there; build it, or name it with --program")
    machine, compiles = peer_facts(options)
    report = {"machine": machine, "program": peers.program_version(options.program)}
    report.update({key: getattr(options, key) for key in ("threads", "rounds", "steps")})
    works = options.works.split(",") + (["data:128x32"] if options.data else [])
    report["rows"] = [measure(options, w, contestants(w, compiles and not options.eager_only)) for w in works]
    text = to_markdown(report)
    print(text, end="")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.with_name(options.out.name + ".json").write_text(json.dumps(report, indent=2) + "\n")
        options.out.with_name(options.out.name + ".md").write_text(text)


if __name__ == "__main__":
    main()
