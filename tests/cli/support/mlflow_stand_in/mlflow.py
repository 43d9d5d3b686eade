"""Stands in for MLflow: writes what it is asked for, a JSON line each, to the file $CALLS, and refuses what a server would."""

import contextlib
import json
import numbers
import os
import re


def note(call, **values):
    with open(os.environ["CALLS"], "a", encoding="utf-8") as file:
        file.write(json.dumps({"call": call, **values}) + "\n")


def check_names(names):
    for name in names:
        assert re.fullmatch(r"[\w./ -]{1,250}", name), name


def set_experiment(name):
    note("set_experiment", name=name)


@contextlib.contextmanager
def start_run(run_name):
    note("start_run", run_name=run_name)
    yield
    note("end_run")


def log_params(params):
    assert len(params) <= 100
    check_names(params)
    for value in params.values():
        assert len(str(value)) <= 6000
    note("log_params", params=params)


def log_metrics(metrics, step=None):
    check_names(metrics)
    for value in metrics.values():
        assert isinstance(value, numbers.Real)
    note("log_metrics", metrics=metrics, step=step)


def set_tag(key, value):
    note("set_tag", key=key, value=value)
