# The rows of a sweep (scripts/sweep.sh) as CSV: one line per point, the columns that any result has.
# Arguments: the grid keys.
def parts($prefix): to_entries? // [] | map(select(.value | type != "object" and type != "array")
  | {key: ($prefix + .key), value}) | from_entries;
map(. + {outcome: (
  {stopped_by: .result.stopped_by, best_epoch: .result.best.epoch, best_val_top1: .result.best.val_top1,
   best_val_loss: .result.best.val_loss}
  + (.result.final | parts("final_")) + (.result.test | parts("test_"))
  + {epochs: .result.epochs, seconds: .result.seconds, bad_images: .result.bad_images})})
| (reduce (.[] | select(.result) | .outcome | keys_unsorted[]) as $c ([]; if index([$c]) then . else . + [$c] end))
  as $columns
| (["name"] + $ARGS.positional + ["seed", "status", "exit_code"] + $columns),
  (.[] | .outcome as $o | [.name] + .values + [.seed, .status, .exit_code] + [$columns[] | $o[.]])
| @csv
