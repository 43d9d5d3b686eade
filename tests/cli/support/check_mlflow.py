"""Compares what MLflow holds of RUN_DIR, in the store of $MLFLOW_TRACKING_URI, with the run's own files."""

import json
import pathlib
import sys

from mlflow.tracking import MlflowClient

run = pathlib.Path(sys.argv[1])
config = json.loads((run / "config.json").read_text())
result = json.loads((run / "result.json").read_text())
rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]

client = MlflowClient()
(found,) = client.search_runs([client.get_experiment_by_name(config["name"]).experiment_id])
assert found.info.run_name == run.name and found.info.status == "FINISHED", found.info
assert found.data.params["train.optimizer.lr"] == json.dumps(config["train"]["optimizer"]["lr"])
assert json.loads(found.data.params["model.stages"]) == config["model"]["stages"]
assert found.data.tags["stopped_by"] == result["stopped_by"]
assert found.data.metrics["best.val_top1"] == result["best"]["val_top1"]
for column in rows[0]:
    if column != "epoch":
        history = [(m.step, m.value) for m in client.get_metric_history(found.info.run_id, column)]
        assert history == [(row["epoch"], row[column]) for row in rows], (column, history)
print(f"{len(found.data.params)} params, {len(rows)} epochs: as they should be")
