# The rows of a sweep (scripts/sweep.sh) by grid point, tab-separated: mean and sample standard deviation over the seeds.
# Arguments: the short names of the grid keys.
def mean: if length == 0 then null else add / length end;
def sd: if length < 2 then null else mean as $m | (map((. - $m) * (. - $m)) | add / (length - 1) | sqrt) end;
def fixed($digits): if . == null then "-" else
  pow(10; $digits) as $scale | (. * $scale | round) as $n
  | "\($n / $scale | floor)" + if $digits == 0 then "" else ".\($n % $scale + $scale | tostring | .[1:])" end end;
def column(f): [.[] | .result | select(.) | f | numbers];
any(.[]; .result.test.top1? != null) as $test
| ($ARGS.positional + ["done", "val_top1", "sd", "val_loss", "sd"]
   + (if $test then ["test_top1", "sd"] else [] end) + ["best_epoch", "epochs", "minutes"]),
  (reduce .[] as $row ([]; (map(.[0].values) | index([$row.values])) as $at
     | if $at == null then . + [[$row]] else .[$at] += [$row] end)
   | .[]
   | .[0].values
     + ["\(map(select(.status == "done")) | length)/\(length)"]
     + (column(.best.val_top1) | [(mean | fixed(4)), (sd | fixed(4))])
     + (column(.best.val_loss) | [(mean | fixed(4)), (sd | fixed(4))])
     + (if $test then (column(.test.top1) | [(mean | fixed(4)), (sd | fixed(4))]) else [] end)
     + [(column(.best.epoch) | mean | fixed(1)), (column(.epochs) | mean | fixed(1)),
        (column(.seconds / 60) | mean | fixed(2))])
| @tsv
