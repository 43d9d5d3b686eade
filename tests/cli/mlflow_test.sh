#!/usr/bin/env bash
# The recipe in docs/mlflow.md runs as it stands there: against a stand-in for MLflow, and against MLflow where build/python
# has it.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

program=$1
python=$(command -v python3) || skip "there is no python3"

"$program" data synth "$temp/shapes" --images-per-class 6 > /dev/null 2>&1
cat > "$temp/tiny.json" << 'JSON'
{
  "name": "tiny", "device": "cpu", "threads": 1,
  "model": {"stages": [{"block": "fused_mbconv", "expand": 1, "kernel": 3, "stride": 1, "channels": 8, "layers": 1}],
            "stem_channels": 8, "head_channels": 16},
  "data": {"root": "shapes", "image_size": 16, "split": {"test": 0.2}},
  "train": {"epochs": 3, "batch_size": 16}
}
JSON
expect_exit 0 "$program" train "$temp/tiny.json" --run-dir "$temp/run-1" --quiet
# shellcheck disable=SC2016
sed -n '/^```python$/,/^```$/{//!p}' "$repo/docs/mlflow.md" > "$temp/to_mlflow.py"
expect_contains "$temp/to_mlflow.py" "import mlflow"

export CALLS=$temp/calls
PYTHONPATH=$repo/tests/cli/support/mlflow_stand_in expect_exit 0 "$python" "$temp/to_mlflow.py" "$temp/run-1"
calls() { jq -cs "$@" "$CALLS"; }
expect_equal "$(calls 'map(.call) | unique')" \
  '["end_run","log_metrics","log_params","set_experiment","set_tag","start_run"]' "calls"
expect_equal "$(calls '.[0:2] | map(.name // .run_name)')" '["tiny","run-1"]' "experiment and run"
# every leaf of the config, once
expect_equal "$(calls '[.[] | select(.call == "log_params").params] | add | keys')" \
  "$(jq -c '[paths(type != "object") | select(all(type == "string")) | join(".")] | sort' "$temp/run-1/config.json")" "names of params"
expect_equal "$(calls -r '[.[] | select(.call == "log_params").params] | add | .["train.optimizer.lr"]')" 0.0001 "a number"
expect_equal "$(calls -r '[.[] | select(.call == "log_params").params] | add | .["train.optimizer.type"]')" adam "a text"
# every row, with its epoch as step
expect_equal "$(calls 'map(select(.call == "log_metrics" and .step != null) | .metrics + {epoch: .step}) | map(to_entries | sort)')" \
  "$(jq -cs 'map(to_entries | sort)' "$temp/run-1/metrics.jsonl")" "rows"
expect_equal "$(calls '[.[] | select(.call == "log_metrics" and .step == null).metrics | .["best.val_top1"], .["test.top1"]]')" \
  "$(jq -c '[.best.val_top1, .test.top1]' "$temp/run-1/result.json")" "the result's figures"
expect_equal "$(calls -r '.[] | select(.call == "set_tag").value')" epochs "stopped_by"

# a run that is not over yet, and two at once
cp -r "$temp/run-1" "$temp/run-2"
rm "$temp/run-2/result.json" "$CALLS"
PYTHONPATH=$repo/tests/cli/support/mlflow_stand_in expect_exit 0 "$python" "$temp/to_mlflow.py" "$temp/run-2" "$temp/run-1"
expect_equal "$(calls '[.[] | select(.call == "start_run").run_name]')" '["run-2","run-1"]' "runs"
expect_equal "$(calls '[.[] | select(.call == "set_tag")] | length')" 1 "tags of finished runs"

python=$repo/build/python/bin/python
if "$python" -c 'import mlflow' 2> /dev/null; then
  export MLFLOW_TRACKING_URI=sqlite:///$temp/mlflow.db
  "$python" -c 'import sqlalchemy, alembic' 2> /dev/null || export MLFLOW_TRACKING_URI=file://$temp/mlruns
  export MLFLOW_ALLOW_FILE_STORE=true
  cd "$temp"
  expect_exit 0 "$python" "$temp/to_mlflow.py" "$temp/run-1"
  expect_exit 0 "$python" "$repo/tests/cli/support/check_mlflow.py" "$temp/run-1"
else
  echo "mlflow: MLFLOW ITSELF IS NOT TESTED, only a stand-in: build/python has no mlflow (pip install mlflow-skinny)"
fi

echo "mlflow: ok"
