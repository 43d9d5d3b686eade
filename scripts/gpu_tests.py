#!/usr/bin/env python3
"""Runs every test of a build folder on this machine, without CMake, and writes what they did to stdout as JSON.

    scripts/gpu_tests.py --build build/cuda [--seconds 150] [--jobs 8] [--log FILE]

GoogleTest's programs are run in shards, each of which loads LibTorch once, then the tests of the command line, those of a
card first. {"passed","failed","skipped","not_run","failures","skips","seconds"}; exits 1 if one failed.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ("effnetv2_nn_tests", "effnetv2_base_tests")
SKIPPED = 77


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=ROOT / "build/cuda", type=pathlib.Path)
    parser.add_argument("--cli-tests", default=ROOT / "tests/cli", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=150.0)
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) // 2))
    parser.add_argument("--log", type=pathlib.Path, help="the output of what failed")
    return parser.parse_args()


class Tally:
    def __init__(self, log):
        self.passed, self.failures, self.skips, self.not_run, self.log = 0, [], [], [], log

    def fail(self, name, output):
        self.failures.append(name)
        if self.log:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("a") as log:
                log.write(f"==== {name}\n{output}\n")


def run(command, deadline, environment=()):
    """Exit code and output; None for the code when the time is up, or was before."""
    left = deadline - time.monotonic()
    if left <= 0:
        return None, ""
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, errors="replace",
        cwd=ROOT, env={**os.environ, **dict(environment)}, start_new_session=True,
    )
    try:
        output, _ = child.communicate(timeout=left)
        return child.returncode, output
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        return None, child.communicate()[0]


def shard(tally, program, index, total, deadline, folder):
    name = f"{program.name}, part {index + 1} of {total}"
    result = pathlib.Path(folder) / f"{program.name}-{index}.json"
    code, output = run(
        [str(program), f"--gtest_output=json:{result}"], deadline,
        {"GTEST_TOTAL_SHARDS": str(total), "GTEST_SHARD_INDEX": str(index)},
    )
    if not result.exists():  # written at the end
        if code is None:
            tally.not_run.append(name)
        else:
            tally.fail(f"{name} (exited with {code})", output[-20000:])
        return
    try:
        suites = json.loads(result.read_text())["testsuites"]
    except ValueError:
        tally.fail(f"{name} (unreadable result)", output[-20000:])
        return
    for suite in suites:
        for case in suite["testsuite"]:
            full = f"{suite['name']}.{case['name']}"
            if case.get("failures"):
                tally.fail(full, "\n".join(one["failure"] for one in case["failures"]))
            elif case.get("result") == "SKIPPED":
                tally.skips.append(full)
            elif case.get("result") == "COMPLETED":
                tally.passed += 1


def cli_test(tally, script, program, deadline):
    name = f"cli.{script.stem}"
    missing = [tool for tool in ("jq", "git") if not shutil.which(tool) and tool in script.read_text().split()]
    if missing:
        tally.skips.append(f"{name} (there is no {missing[0]} here)")
        return
    code, output = run(["bash", str(script), str(program)], deadline)
    if code is None:
        tally.not_run.append(name)
    elif code == 0:
        tally.passed += 1
    elif code == SKIPPED:
        reason = [line for line in output.splitlines() if line.startswith("SKIPPED: ")]
        tally.skips.append(f"{name} ({reason[-1][9:] if reason else 'no reason given'})")
    else:
        tally.fail(name, output[-20000:])


def main():
    options = parse_arguments()
    start = time.monotonic()
    deadline = start + options.seconds
    tally = Tally(options.log)
    scripts = sorted(options.cli_tests.glob("*_test.sh"), key=lambda path: (not path.name.startswith("cuda_"), path.name))
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        jobs = []
        for name in PROGRAMS:
            program = (options.build / name).resolve()
            if not program.exists():
                tally.not_run.append(name)
                continue
            total = max(1, options.jobs // 2)
            jobs += [pool.submit(shard, tally, program, index, total, deadline, folder) for index in range(total)]
        for script in scripts:
            jobs.append(pool.submit(cli_test, tally, script, (options.build / "effnetv2").resolve(), deadline))
        for job in jobs:
            job.result()
    json.dump({"passed": tally.passed, "failed": len(tally.failures), "skipped": len(tally.skips),
               "not_run": len(tally.not_run), "failures": sorted(tally.failures), "skips": sorted(tally.skips),
               "left_out": sorted(tally.not_run), "seconds": round(time.monotonic() - start, 1)}, sys.stdout)
    print()
    sys.exit(1 if tally.failures else 0)


if __name__ == "__main__":
    main()
