"""Configs made from the schema by changing one thing: those that must be refused, and those that must be accepted.

Nothing here asks the program; the schema alone says what there is to change. The same seed gives the same configs.
"""

import copy
import random

LISTS = {"mean": [0.5, 0.5, 0.5], "std": [1, 1, 1], "betas": [0.9, 0.99], "scale": [0.5, 1], "ratio": [0.75, 1.25]}
ROW = {"block": "mbconv", "expand": 4, "kernel": 3, "stride": 1, "channels": 16, "layers": 1}
OF_TYPE = {
    "boolean": [True, False],
    "integer": [3, -7],
    "number": [0.5, -2.25],
    "string": ["surely not", "1", ""],
    "array": [[], [1], [{}]],
    "object": [{}, {"a": 1}],
    "null": [None],
}
# what lets any value of a key stand, where the program has a rule across keys
COMPANIONS = {
    "data.augment.random_resized_crop.ratio[0]": (["data", "augment", "random_resized_crop", "ratio", 1], 100),
    "data.split.choose_on": (["data", "split", "val"], 0.0),
    "train.monitor": (["train", "eval_train"], True),
    "train.scheduler.final_lr": (["train", "optimizer", "lr"], 100.0),
    "train.scheduler.min_lr": (["train", "optimizer", "lr"], 100.0),
    "train.scheduler.warmup_epochs": (["train", "epochs"], 100),
}


class Node:
    """A place in a config: its path as a list of keys and indices, and what the schema says of the value there."""

    def __init__(self, path, schema):
        self.path = path
        branches = schema.get("anyOf", [schema])
        self.schema = branches[0]  # the value itself; other branches are null, "auto" or another form
        self.others = branches[1:]
        types = self.schema.get("type", [])
        self.types = {types} if isinstance(types, str) else set(types)
        for branch in self.others:
            self.types.add(branch["type"] if "type" in branch else "string")
        self.auto = {"const": "auto"} in self.others

    @property
    def text(self):
        """As the program writes it: model.stages[0].kernel."""
        text = ""
        for step in self.path:
            text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
        return text


def nodes(schema, path=()):
    """Every place, the root first; a list's elements are its first one."""
    node = Node(list(path), schema)
    yield node
    for branch in [node.schema, *node.others]:
        for key, child in branch.get("properties", {}).items():
            yield from nodes(child, [*path, key])
    if "items" in node.schema:
        yield from nodes(node.schema["items"], [*path, 0])


def changed(document, path, value):
    """A copy with `value` at `path`; objects and a list that is good otherwise are made on the way."""
    document = copy.deepcopy(document)
    if not path:
        return value
    place = document
    for step, following in zip(path, path[1:]):
        if isinstance(following, int):
            if not isinstance(place.get(step), list):
                place[step] = [dict(ROW), dict(ROW)] if step == "stages" else LISTS[step]
            place[step] = copy.deepcopy(place[step])
        elif isinstance(step, str) and not isinstance(place.get(step), dict):
            place[step] = {}
        place = place[step]
    place[path[-1]] = value
    return document


def typo(name, known, rng):
    """A slip of the pen that is no key of the same object."""
    while True:
        at = rng.randrange(len(name))
        slip = rng.choice([
            name[:at] + name[at + 1 :],
            name[:at] + name[at] + name[at:],
            name[:at] + name[at].upper() + name[at + 1 :],
            name + "_",
            name.replace("_", "-"),
        ])
        if slip and slip not in known:
            return slip


def below(schema):
    if "exclusiveMinimum" in schema:
        return [schema["exclusiveMinimum"], schema["exclusiveMinimum"] - 1, -1e300]
    step = 1 if schema["type"] == "integer" else 1e-9
    return [schema["minimum"] - step, schema["minimum"] - 1000, -1e300] if "minimum" in schema else []


def above(schema):
    if "exclusiveMaximum" in schema:
        return [schema["exclusiveMaximum"], schema["exclusiveMaximum"] + 1, 1e300]
    step = 1 if schema["type"] == "integer" else 1e-6
    return [schema["maximum"] + step, schema["maximum"] * 2 + 2, 1e300] if "maximum" in schema else []


def bad_texts(node):
    schema = node.schema
    if "enum" in schema:
        one = schema["enum"][-1]
        return [one.upper(), one + " ", one[:-1], "", "surely not", one + "\n"]
    if "pattern" in schema:
        return ["", " ", "a b", "-x", ".x", "cuda:", "cuda:01", "cuda:1000", "stages:-1", "stages:100", "x" * 101, "cpu\n",
                "none\n", "ü"]
    return []


def refused(schema, base, rng):
    """(what was done, place as the program names it, config), one after the other."""
    for node in nodes(schema):
        spoilt = lambda what, value, path=node.path, text=None: (  # noqa: E731
            what, node.text if text is None else text, changed(base, path, value))
        if node.path:
            for kind, values in OF_TYPE.items():
                allowed = kind in node.types or (kind == "integer" and "number" in node.types)
                if not allowed:
                    what = "null" if kind == "null" else f"{kind} for {'/'.join(sorted(node.types))}"
                    yield spoilt(what, rng.choice(values))
            if node.types == {"integer"} or (node.schema.get("type") == "integer"):
                yield spoilt("a fraction for an integer", rng.choice([1.5, 2.000001]))
            if node.auto:
                yield spoilt("not quite auto", rng.choice(["Auto", "automatic", "auto "]))
        if node.schema.get("type") in ("integer", "number"):
            for what, values in (("below the range", below(node.schema)), ("above the range", above(node.schema))):
                if values:
                    yield spoilt(what, values[0])
                    yield spoilt(what, rng.choice(values[1:]))
            if "not" in node.schema:
                yield spoilt("an even number", rng.choice([2, 4, 6.0]))
        for text in bad_texts(node):
            yield spoilt("a text that is none of these", text)
        if node.schema.get("type") == "array" and "minItems" in node.schema:
            good = LISTS.get(node.path[-1], [ROW])
            short, long = node.schema["minItems"] - 1, node.schema["maxItems"] + 1
            yield spoilt("a list too short", [good[0]] * short)
            yield spoilt("a list too long", [copy.deepcopy(good[0]) for _ in range(long)])
        properties = node.schema.get("properties")
        if properties:
            name = rng.choice(sorted(properties))
            slip = typo(name, properties, rng)
            value = properties[name].get("default", {})
            yield spoilt("an unknown key", value, [*node.path, slip], f"{node.text}.{slip}".lstrip("."))
            yield spoilt("an unknown key", rng.choice([1, None, {}]), [*node.path, "no such key"],
                         node.text + '["no such key"]')
        for name in node.schema.get("required", []):
            row = {key: value for key, value in ROW.items() if key != name}
            yield spoilt("a key left out", row, node.path, f"{node.text}.{name}")
    # rows of the table and augmentation, broken deeper than in one place
    for what, place, value in (
        ("a bad row among good ones", "model.stages[2].stride", [ROW, ROW, {**ROW, "stride": 3}]),
        ("a row of another table", "model.stages[1].filters", [ROW, {**ROW, "filters": 3}]),
        ("a list for a row", "model.stages[1]", [ROW, list(ROW.values())]),
        ("null for a row", "model.stages[0]", [None, ROW]),
        ("rows by name", "model.stages", {"0": ROW}),
    ):
        yield what, place, changed(base, ["model", "stages"], value)
    for what, place, value in (
        ("a policy that is not there", "data.augment.randaugment", {"randaugment": {"magnitude": 9}}),
        ("a list for a policy", "data.augment.flip", {"flip": [0.5]}),
        ("true for a policy", "data.augment.random_resized_crop", {"random_resized_crop": True}),
        ("one number for two", "data.augment.random_resized_crop.scale", {"random_resized_crop": {"scale": 0.5}}),
        ("three numbers for two", "data.augment.random_resized_crop.ratio",
         {"random_resized_crop": {"ratio": [0.5, 1, 2]}}),
        ("a share above 1", "data.augment.random_resized_crop.scale[1]", {"random_resized_crop": {"scale": [0.5, 1.5]}}),
        ("null within a policy", "data.augment.random_resized_crop.scale", {"random_resized_crop": {"scale": None}}),
    ):
        yield what, place, changed(base, ["data", "augment"], value)
    for what, place, value in (
        ("a list of numbers", "extends", [1]),
        ("a list with an empty name", "extends", ["", ""]),
        ("an empty name", "extends", ""),
    ):
        yield what, place, changed(base, ["extends"], value)


def within(schema, rng):
    """Numbers of the range, its ends included where they belong to it."""
    low = schema.get("minimum", schema.get("exclusiveMinimum", -4))
    high = schema.get("maximum", schema.get("exclusiveMaximum", low + 8))
    if schema["type"] == "integer":
        if "not" in schema:
            return [low | 1, high if high % 2 else high - 1, float(low | 1)]
        return [low, high, float(low), rng.randint(low, min(high, low + 1000))]
    inside = low + (high - low) * rng.uniform(0.1, 0.5)
    ends = [schema[end] for end in ("minimum", "maximum") if end in schema]
    return [inside, round(inside, 3) or inside, *ends, *(int(end) for end in ends)]


def accepted(schema, base, rng):
    """The same, of configs that are good."""
    for node in nodes(schema):
        if not node.path or node.path[0] in ("$schema", "extends"):
            continue
        kind = node.schema.get("type")
        values = []
        if kind == "boolean":
            values = [("either", True), ("either", False)]
        elif kind in ("integer", "number"):
            values = [("within the range", value) for value in within(node.schema, rng)]
        elif "enum" in node.schema:
            values = [("one of these", value) for value in node.schema["enum"]]
        elif "pattern" in node.schema:
            texts = {"name": ["a", "cpu", "x" * 100, "a=1,b+c@d_e-f.g"],
                     "device": ["auto", "cpu", "cuda", "cuda:0", "cuda:999"],
                     "freeze": ["none", "backbone", "stages:0", "stages:99"]}
            values = [("of the form", text) for text in texts[node.path[-1]]]
        elif kind == "string":
            values = [("any text", rng.choice(["", "x", "a/b c", "é", "../x", "/tmp/x.pth"]))]
        elif kind == "array":
            good = LISTS.get(node.path[-1], [ROW])
            for length in {node.schema["minItems"], node.schema["maxItems"]}:
                values.append(("a list of that length", [good[min(i, len(good) - 1)] for i in range(length)]))
        elif kind == "object":
            values = [("nothing but defaults", {"channels": 8} if "required" in node.schema else {})]
        if node.auto:
            values.append(("auto", "auto"))
        if "null" in node.types:
            values.append(("null", None))
        for what, value in values:
            document = changed(base, node.path, value)
            if node.text in COMPANIONS:
                document = changed(document, *COMPANIONS[node.text])
            yield what, node.text, document
    for value in (None, [], "../docs/config.schema.json"):
        if not isinstance(value, list):
            yield "a name or null", "$schema", changed(base, ["$schema"], value)
        if not isinstance(value, str):
            yield "no base", "extends", changed(base, ["extends"], value)


def mutations(maker, schema, bases, seed):
    """Of each base in turn, all that `maker` makes, each once."""
    rng = random.Random(seed)
    return [mutation for base in bases for mutation in maker(schema, base, rng)]
