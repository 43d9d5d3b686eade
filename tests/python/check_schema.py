#!/usr/bin/env python3
"""Holds the JSON Schema against the program: both must say the same of every shipped config and of many changed ones.

    tests/python/check_schema.py PROGRAM SCHEMA CONFIG...     with PyPI's jsonschema; one line, or all disagreements and exit 1
"""

import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import jsonschema
from config_mutations import accepted, mutations, nodes, refused

SEED = 2021
# What the program alone refuses, a value whose work is not there yet.
NOT_YET = "not available yet"


def leaves(value, path=""):
    """Paths of a resolved config's keys, those of objects too."""
    for key, child in value.items() if isinstance(value, dict) else ():
        yield path + key
        yield from leaves(child, f"{path}{key}.")


def described(schema, path=""):
    for key, child in schema.get("properties", {}).items():
        yield path + key
        if "properties" in child:  # not of what may be null
            yield from described(child, f"{path}{key}.")


def verdicts(program, files):
    """For each file the lines that `config check` says of it on stderr, none if it is good; and the exit code."""
    done = subprocess.run([program, "config", "check", *map(str, files)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True)
    said = collections.defaultdict(list)
    good = {line[: -len(": ok")] for line in done.stdout.splitlines() if line.endswith(": ok")}
    for line in done.stderr.splitlines():
        line = line.removeprefix("error: ")
        said[line[: line.index(".json") + len(".json")]].append(line)
    return {file: ("ok" if str(file) in good else "refused", said[str(file)]) for file in files}, done.returncode


def main():
    program, schema_file, *configs = sys.argv[1:]
    began = time.monotonic()
    schema = json.loads(pathlib.Path(schema_file).read_text())
    validator_class = jsonschema.validators.validator_for(schema, default=None)
    assert validator_class is jsonschema.Draft202012Validator, "the schema does not name the draft that it is written in"
    validator_class.check_schema(schema)
    validator = validator_class(schema)
    wrong = []

    for config in configs:
        for error in validator.iter_errors(json.loads(pathlib.Path(config).read_text())):
            wrong.append(f"{config}: the schema refuses it: {error.json_path}: {error.message}")

    show = [program, "config", "show", configs[0]]
    resolved = json.loads(subprocess.run(show, check=True, stdout=subprocess.PIPE).stdout)
    missing = set(leaves(resolved)) ^ (set(described(schema)) - {"$schema", "extends"})
    wrong += [f"{key}: known to only one of schema and program" for key in sorted(missing)]

    enums = {node.text: set(node.schema["enum"]) for node in nodes(schema) if "enum" in node.schema}
    bases = [{}, resolved]
    bad, good = mutations(refused, schema, bases, SEED), mutations(accepted, schema, bases, SEED)
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, (_, _, document) in enumerate(bad + good):
            files.append(pathlib.Path(folder, f"{number}.json"))
            files[-1].write_text(json.dumps(document))
        said, code = verdicts(program, files)
        if code != 2:
            wrong.append(f"config check of all ended with {code}, expected 2")
        for file, (what, place, document), must in zip(files, bad + good, [False] * len(bad) + [True] * len(good)):
            verdict, lines = said[file]
            if must and lines and all(NOT_YET in line for line in lines):
                verdict = "ok"
            where = f"{what} at {place or 'the root'}: {json.dumps(document)[:200]}"
            if validator.is_valid(document) != must:
                wrong.append(f"{where}: the schema {'refuses' if must else 'accepts'} it")
            if (verdict == "ok") != must:
                wrong.append(f"{where}: the program says {lines or verdict}")
            named = [line for line in lines if line.startswith(f"{file}: {place}: ")]
            if not must and not named:
                wrong.append(f"{where}: the program does not name the place: {lines}")
            for line in named:  # which also lists what it knows, and so more than the schema might
                if match := re.search(r"must be one of (.*), got ", line):
                    if set(re.findall(r'"([^"]*)"', match[1])) != enums[place]:
                        wrong.append(f"{where}: the program allows {match[1]}")

    print("\n".join(wrong + [
        f"{len(configs)} shipped configs, {len(bad)} that must be refused for {len({what for what, _, _ in bad})} "
        f"reasons, {len(good)} that must be accepted: {len(wrong)} disagreements in {time.monotonic() - began:.1f} s"]))
    if len(bad) < 200 or len(good) < 100:
        sys.exit("too few configs were made to prove anything")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
