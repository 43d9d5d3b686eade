#!/usr/bin/env python3
"""Gives the program configs that nobody writes by hand, and holds it to plain answers.

    tests/python/hostile_configs.py PROGRAM FOLDER     one line, or what was wrong and exit 1

Every key of the schema gets every kind of value that it does not allow. Files that are no configs, that have no end or
no writer, that extend one another without end, and --set with anything must end with exit code 2, or 6 where a file
cannot be read, soon, in little memory, in lines that name the place.
"""

import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import time

from config_mutations import LISTS, OF_TYPE, changed, nodes

SECONDS = 20  # of a machine that does other things too; most take a tenth of one
MEGABYTES = 300  # above what the program takes for {}
# AddressSanitizer would hold back 256 MiB of what was freed
ENVIRONMENT = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=16"}

program = None
folder = None
wrong = []
started = 0


def write(name, text):
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(file)


def run(*arguments, seconds=SECONDS):
    """Exit code, stdout, stderr, seconds and peak memory in MiB of one `effnetv2`."""
    global started
    started += 1
    out, errors = folder / "stdout", folder / "stderr"
    began = time.monotonic()
    with open(out, "wb") as stdout, open(errors, "wb") as stderr:
        child = subprocess.Popen([program, *arguments], stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                                 env=ENVIRONMENT)
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() - began > seconds:
                child.kill()
                os.wait4(child.pid, 0)
                return "never", b"", b"error: ", seconds, 0
            time.sleep(0.005)
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, out.read_bytes(), errors.read_bytes(), time.monotonic() - began, usage.ru_maxrss / 1024


def plain(what, errors):
    """Lines for a reader: UTF-8, no control characters, none endless, none that speaks of a bug."""
    try:
        text = errors.decode()
    except UnicodeDecodeError as error:
        wrong.append(f"{what}: stderr is no UTF-8: {error}")
        return errors.decode(errors="replace")
    if not text.startswith("error: "):
        wrong.append(f"{what}: does not begin with error: {text[:200]!r}")
    if odd := re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text):
        wrong.append(f"{what}: a control character {odd[0]!r} in {text[max(0, odd.start() - 50):odd.end()]!r}")
    if longest := [line for line in text.splitlines() if len(line) > 2000]:
        wrong.append(f"{what}: a line of {len(longest[0])} letters: {longest[0][:100]}...")
    for word in ("internal error", "terminate called", "json.exception", "basic_string", "std::"):
        if word in text:
            wrong.append(f"{what}: says {word!r}: {text[:300]}")
    return text


idle_megabytes = 0.0


def expect(what, codes, text, *arguments):
    """`text`: what a line must hold."""
    code, _, errors, _, megabytes = run(*arguments)
    said = plain(what, errors) if code != 0 else ""
    if code not in codes:
        wrong.append(f"{what}: exit code {code}, expected {' or '.join(map(str, codes))}: {said[:300]}")
    elif text not in said:
        wrong.append(f"{what}: no line holds {text!r}: {said[:300]}")
    if megabytes > idle_megabytes + MEGABYTES:
        wrong.append(f"{what}: took {megabytes:.0f} MiB, {idle_megabytes:.0f} for nothing")


def expect_of_each(name, cases, codes=(2,)):
    """`cases`: (what, content of a file or its path, what a line about it must hold), all of them in one process."""
    files = {}
    for number, (what, content, text) in enumerate(cases):
        file = str(content) if isinstance(content, pathlib.Path) else write(f"{name}-{number}.json", content)
        files[file] = (what, text)
    code, _, errors, _, megabytes = run("config", "check", *files)
    said = plain(name, errors)
    if code not in codes:
        wrong.append(f"{name}: exit code {code}, expected {' or '.join(map(str, codes))}: {said[:300]}")
    for file, (what, text) in files.items():
        # what is wrong in a base is said of that
        lines = [line for line in said.splitlines() if file in line or name == "extended"]
        if not any(text in line for line in lines):
            wrong.append(f"{what}: no line holds {text!r}: {lines[:2]}")
    if megabytes > idle_megabytes + MEGABYTES:
        wrong.append(f"{name}: took {megabytes:.0f} MiB, {idle_megabytes:.0f} for nothing")


def allows(node, value):
    """What the schema says of it, but for the items of a list and the keys of an object."""
    if value is None:
        return "null" in node.types
    if value == "auto" and node.auto:
        return True
    schema = node.schema
    kind = schema.get("type")
    if isinstance(value, bool) or isinstance(value, (list, dict)):
        kinds = {bool: "boolean", list: "array", dict: "object"}
        return kind == kinds[type(value)]  # and then only its items could be wrong
    if isinstance(value, str):
        if "enum" in schema or kind not in ("string", None):
            return value in schema.get("enum", [])
        return "pattern" not in schema or re.search(schema["pattern"].removesuffix("$") + r"\Z", value) is not None
    if kind == "integer" and value != int(value):
        return False
    if kind not in ("integer", "number"):
        return False
    return not (value < schema.get("minimum", value) or value > schema.get("maximum", value) or
                ("exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]) or
                ("exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]) or
                ("not" in schema and value % 2 == 0) or (kind == "integer" and not -2**63 <= value < 2**63))


HOSTILE = [None, True, False, 0, -1, 1.5, 1e308, -1e308, 5e-324, 2**63, -2**63 - 1, 10**30, "", " ", "NaN", "Infinity",
           "\x00", "a\nb", "\x1b[31m", "\u202e", "../../etc", "%s%n", "${", "x" * 65536, [], [[]], [None], [1, 2, 3, 4, 5], {},
           {"": 0}, {"x": {}}]


def wrong_values(node):
    """Those of HOSTILE that are wrong here, and one of each type that is not allowed."""
    kind = node.schema.get("type")
    for value in HOSTILE + [values[0] for values in OF_TYPE.values()]:
        if kind == "array" and isinstance(value, list):
            if node.schema["minItems"] <= len(value) <= node.schema["maxItems"]:
                continue  # an item is named instead
        elif kind == "object" and isinstance(value, dict):
            if not value or len(node.path) == 0:
                continue
        elif allows(node, value):
            continue
        # a variable that is wrong is so in a path only, where other text is right
        yield value
    if node.schema.get("type") == "string" and not {"enum", "pattern"} & node.schema.keys() and "path" in str(node.path):
        yield "${"


def check_every_key(schema):
    """Every value in a file of its own, all files in one process."""
    files, count = {}, 0
    leaves = [node for node in nodes(schema) if node.path and node.path[0] not in ("$schema", "extends")]
    for node in leaves:
        for value in wrong_values(node):
            file = folder / f"key-{count}.json"
            count += 1
            file.write_text(json.dumps(changed({}, node.path, value)))
            files[str(file)] = (node, value)
    # numbers that no double holds end the reading, at the key
    for node in leaves:
        file = folder / f"key-{count}.json"
        count += 1
        text = json.dumps(changed({}, node.path, "@"))
        file.write_text(text.replace('"@"', "-1e400"))
        files[str(file)] = (node, "-1e400")
    began = time.monotonic()
    code, out, errors, seconds, _ = run("config", "check", *files, seconds=300)
    if code != 2:
        wrong.append(f"every key: exit code {code}, expected 2, after {time.monotonic() - began:.1f} s")
    said = collections.defaultdict(list)
    for line in plain("every key", errors).splitlines():
        line = line.removeprefix("error: ")
        said[line[: line.index(".json") + len(".json")]].append(line)
    for file, (node, value) in files.items():
        # a key within the place is the place too
        named = re.compile(re.escape(file) + r"(:\d+:\d+)?: " + re.escape(node.text) + r"([.\[][^ ]*)?: ")
        if not any(named.match(line) for line in said[file]):
            wrong.append(f"{node.text} = {str(value)[:60]!r}: not named: {said[file][:2]}")
    if len(files) < 1000:
        wrong.append(f"only {len(files)} wrong values were made")
    if seconds > 1 + len(files) * 0.02:
        wrong.append(f"every key: {len(files)} files took {seconds:.1f} s")
    return len(leaves), len(files)


def check_every_key_set(schema, base):
    """The same kinds through --set, of which a process says everything at once."""
    leaves = [node for node in nodes(schema)
              if node.path and node.path[0] not in ("$schema", "extends", "description") and
              not any(isinstance(step, int) for step in node.path)]
    tried = 0
    for text in ("null", "true", "-1", "1e308", "NaN", "[]", "[[]]", "", "\x1b[31m", "1e400"):
        value = {"1e400": [], "NaN": "NaN", "": "", "\x1b[31m": "\x1b[31m"}.get(text)  # 1e400 is nothing that can stand
        if text not in ("1e400", "NaN", "", "\x1b[31m"):
            value = json.loads(text)
        # an object set to something else takes away the keys below it
        places = [node.text for node in leaves if node.schema.get("type") != "object" and
                  (not allows(node, value) or isinstance(value, list))]
        sets = [f"{place}={text}" for place in places]
        code, _, errors, _, _ = run("config", "check", str(base), *[word for one in sets for word in ("--set", one)])
        said = plain(f"--set ...={text!r}", errors)
        if code != 2:
            wrong.append(f"--set of {len(sets)} keys to {text!r}: exit code {code}: {said[:300]}")
        for place in places:
            if not any(line.removeprefix("error: ").startswith(f"--set {place}=") for line in said.splitlines()):
                wrong.append(f"--set {place}={text!r}: not named")
        tried += len(sets)
    return tried


def check_documents(schema):
    """What is no JSON, or JSON that nobody means."""
    deep = {}
    for depth in (100, 100000):
        for what, begin, end in (("lists", "[", "]"), ("objects", '{"a":', "}")):
            deep[f"{depth}-{what}"] = '{"seed": ' + begin * depth + "1" + end * depth + "}"
            deep[f"{depth}-open-{what}"] = '{"seed": ' + begin * depth
    expect_of_each("deep", [(f"nested {what}", text, "nested deeper than") for what, text in deep.items()])
    long = "x" * (1 << 20)
    expect_of_each("odd", (
        ("NaN", '{"seed": NaN}', ":1:"),
        ("Infinity", '{"train": {"optimizer": {\n"lr": Infinity}}}', ":2:"),
        ("-Infinity", '{"seed": -Infinity}', ":1:"),
        ("hexadecimal", '{"seed": 0x10}', ":1:"),
        ("a plus sign", '{"seed": +1}', ":1:"),
        ("leading zeros", '{"seed": 01}', ":1:"),
        ("no UTF-8", b'{"name": "\xff\xfe"}', ":1:"),
        ("UTF-16", '{"seed": 1}'.encode("utf-16"), ":1:"),
        ("half a surrogate pair", '{"name": "\\ud800"}', ":1:"),
        ("a zero byte", b'{"seed": \x00 1}', ":1:"),
        ("random bytes", bytes(range(256)) * 64, ":1:"),
        ("nothing", "", "the document is empty"),
        ("a comment without its end", "/* ", ":1:"),
        ("text without its end", '{"name": "x', ":1:"),
        ("a text", '"seed"', "must be an object"),
        ("null", "null", "must be an object"),
        ("a long text for an enum", json.dumps({"precision": long}), "precision: "),
        ("a long text for a number", json.dumps({"train": {"optimizer": {"lr": long}}}), "train.optimizer.lr: "),
        ("a long text for a name", json.dumps({"name": long}), "name: "),
        ("a long key", json.dumps({"train": {long: 1}}), "is not a key"),
        ("a long key that is odd", json.dumps({"train": {"é\n" + long: 1}}), "is not a key"),
        ("a long number", '{"seed": ' + "9" * (1 << 20) + "}", "seed: "),
        ("a long fraction", '{"seed": 0.' + "1" * (1 << 20) + "}", "seed: "),
        ("a long list", json.dumps({"seed": [0] * (1 << 18)}), "seed: "),
        ("a long list of rows", json.dumps({"model": {"stages": [{}] * (1 << 16)}}), "model.stages: "),
        ("a list of odd numbers", json.dumps({"data": {"mean": [None, {}, "x"]}}), "data.mean[1]: "),
        ("an empty key", '{"": 1}', '[""]: is not a key'),
        ("a key with dots", '{"train.epochs": 1}', '["train.epochs"]: is not a key'),
        ("a prototype", '{"__proto__": {"seed": 1}}', "__proto__: is not a key"),
        ("a long variable", json.dumps({"data": {"root": "${" + long + "}"}}), "data.root: "),
        ("a path with a zero byte", json.dumps({"data": {"root": "a\0b"}}), "data.root: "),
    ))
    # a key twice in each object that there is
    twice = []
    for node in nodes(schema):
        if node.schema.get("type") == "object" and not any(isinstance(step, int) for step in node.path):
            inner = next(iter(key for key in node.schema["properties"] if key not in ("$schema", "extends")))
            value = f'{{"{inner}": null, "{inner}": null}}'
            for step in reversed(node.path):
                value = f'{{"{step}": {value}}}'
            place = ".".join([*node.path, inner])
            twice.append((f"{place} twice", value, f"{place} is there twice"))
    expect_of_each("twice", twice)
    many = ",".join(f'"k{i % 50000}": {i}' for i in range(100000))
    expect("many keys, many twice", [2], "is there twice", "config", "check", write("many.json", "{" + many + "}"))
    expect("very many unknown keys", [2], "is not a key", "config", "check",
           write("many.json", "{" + ",".join(f'"k{i}": 0' for i in range(100000)) + "}"))


def check_files():
    """Files that are no configs, as the config itself and as what it extends."""
    pipe, sparse, loop = folder / "pipe.json", folder / "sparse.json", folder / "loop.json"
    os.mkfifo(pipe)
    with open(sparse, "wb") as file:
        file.truncate(1 << 30)
    loop.symlink_to(loop)
    (folder / "nowhere.json").symlink_to(folder / "gone.json")
    (folder / "folder.json").mkdir()
    latin = write("latin.json", b'{"name": "caf\xe9"}')
    files = [
        ("a pipe without a writer", pipe, "the document is empty"),
        ("zeros", "/dev/zero", "/dev/zero: is a device"),
        ("nothing", "/dev/null", "/dev/null: is a device"),
        ("what is full", "/dev/full", "/dev/full: is a device"),
        ("noise", "/dev/urandom", "/dev/urandom: is a device"),
        ("memory", "/proc/self/mem", "/proc/self/mem: "),
        ("a folder", folder / "folder.json", "is a folder"),
        ("the root", "/", "is a folder"),
        ("a sparse gigabyte", sparse, "is larger than"),
        ("a link to nowhere", folder / "nowhere.json", "no such config file"),
        ("a file within a file", latin + "/x.json", "x.json"),
        ("Latin-1", latin, "latin.json:1:"),
        ("a link to itself", loop, "loop.json"),
    ]
    expect_of_each("file", [(f"{what} as a config", pathlib.Path(file), text) for what, file, text in files], codes=(6,))
    expect_of_each("extended", [(f"{what} extended", json.dumps({"extends": str(file)}), text) for what, file, text in files],
                   codes=(6,))
    expect_of_each("extends", [(f"extends {what}", json.dumps({"extends": name}), text) for what, name, text in (
        ("out of the root", "../" * 100 + "nowhere/x.json", "no such config file"),
        ("a long name", "x" * (1 << 20), "extends: "),
        ("a long name in a list", ["x" * (1 << 20)], "extends: "),
        ("a long path", "x/" * (1 << 19), "extends: "),
        ("a zero byte", "latin.json\0.json", "extends: no file can have the name"),
        ("an odd name", "a\n\x1b[31m.json", "\\x0A"),
        ("an empty name", "", "extends: must be a file name"),
        ("a variable that is not set", "${EFFNETV2_NOT_SET}", "is not set"),
        ("half a variable", "${" + "x" * (1 << 20), "extends: "),
        ("a number", 1, "extends: must be a file name"),
        ("lists of lists", [[["a"]]], "extends: must be a file name"),
        ("an object", {"a": 1}, "extends: must be a file name"),
        ("many that are not there", [f"{i}.json" for i in range(50)], "49.json: no such config file"),
    )])
    for what, name in (("itself", "self.json"), ("itself twice", ["self.json", "self.json"]),
                       ("itself by another way", "./folder.json/../self.json"), ("itself many times", ["self.json"] * 10000)):
        expect(f"extends {what}", [2], "extends itself", "config", "check", write("self.json", json.dumps({"extends": name})))
    expect("extends a name of 300", [2, 6], "xxx", "config", "check", write("long.json", json.dumps({"extends": "x" * 300})))
    for i in range(30):
        write(f"double-{i}.json", json.dumps({"extends": [f"double-{i + 1}.json"] * 2}))
    write("double-30.json", "{}")
    expect("extends that double", [2], "files", "config", "check", str(folder / "double-0.json"))
    for i in range(100):
        write(f"chain-{i}.json", json.dumps({"extends": f"chain-{i + 1}.json"}))
    write("chain-100.json", "{}")
    expect("a chain of a hundred", [2], "too many files extend one another", "config", "check", str(folder / "chain-0.json"))
    # what is odd and right
    good = write("good.json", '{"seed": 5}')
    for what, name in (("an absolute path", good), ("a path that goes up", f"../{folder.name}/good.json"),
                       ("a list", [good, "good.json"])):
        expect(f"extends {what}", [0], "", "config", "check", write("extends.json", json.dumps({"extends": name})))
    read, writer = os.pipe()
    os.write(writer, b'{"sede": 5}')
    os.close(writer)
    os.set_inheritable(read, True)
    done = subprocess.run([program, "config", "check", f"/dev/fd/{read}"], pass_fds=[read], stderr=subprocess.PIPE, check=False)
    os.close(read)
    if done.returncode != 2 or b"sede: is not a key" not in done.stderr:
        wrong.append(f"a pipe with a writer: {done.returncode}, {done.stderr}")


def check_sets(base):
    """--set with what is no key and no value; one process says all of it."""
    long = "x" * 100000
    sets = ["", "=", "==", "seed", "=1", "seed.=1", ".seed=1", "..=1", "seed..x=1", "[0]=1", "[=1", "]=1", "data.mean[=1",
            "data.mean[]=1", "data.mean[-1]=1", "data.mean[3]=1", "data.mean[99999999999999999999]=1", "data.mean[0x1]=1",
            "data.mean[0][0]=1", "data.mean.0.0=1", "model.stages[0].channels=8", "model.stages[1000000000000]=1",
            "$schema=x", "extends=x", "a\nb=1", "\x1b[31m=1", "é=1", f"{long}=1", f"seed={long}", f"device={long}",
            "train.epochs={", "data.mean=[", 'train.batch_size="', "checkpoint={}1", "data.std=[1",
            'train={"epochs":1,"epochs":2}', "data=" + "[" * 50000, "data=" + '{"a":' * 20000, "__proto__.x=1",
            "train.optimizer.lr=1e400", "data.image_size=123456789012345678901234567890", "%s=%n", "${HOME}=1",
            "train.accumulate=${HOME}", "-seed=1"]
    code, _, errors, _, megabytes = run("config", "check", str(base), *[f"--set={one}" for one in sets])
    said = plain("odd settings", errors).splitlines()
    if code != 2:
        wrong.append(f"odd settings: exit code {code}")
    for one in sets:
        shown = one[:150].replace("\n", "\\x0A").replace("\x1b", "\\x1B")
        if not any(line.removeprefix("error: ").startswith(f"--set {shown}") for line in said):
            wrong.append(f"--set {one[:40]!r}: not named")
    for one in ("train=1", "train=[]", "train=null", "data.split=true", "model=text"):  # which takes the keys below away
        expect(f"--set {one}", [2], f"--set {one}: {one.partition('=')[0]}: must be an object", "config", "check", str(base), "--set", one)
    expect("--set without a value", [2], "--set", "config", "check", str(base), "--set")
    bytes_set = os.fsencode("name=") + b"\xff"
    code, _, errors, _, _ = run("config", "check", str(base), "--set", bytes_set)
    if code != 2 or b"\\xFF" not in errors:
        wrong.append(f"--set of a byte that is no UTF-8: {code}, {errors[:200]}")
    plain("--set of a byte", errors)
    return len(sets) + 7


def main():
    global program, folder, idle_megabytes
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    began = time.monotonic()
    code, out, _, _, _ = run("config", "schema")
    assert code == 0, "config schema failed"
    schema = json.loads(out)
    base = write("base.json", "{}")
    code, _, _, _, idle_megabytes = run("config", "check", base)
    assert code == 0, "{} is no config"
    keys, values = check_every_key(schema)
    set_values = check_every_key_set(schema, base)
    check_documents(schema)
    check_files()
    sets = check_sets(base)
    print("\n".join(wrong[:60] + [
        f"{keys} keys, {values} wrong values in files and {set_values} with --set, {sets} odd settings, {started} processes: "
        f"{len(wrong)} answers were wrong, in {time.monotonic() - began:.1f} s"]))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
