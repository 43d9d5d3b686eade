#pragma once

#include <string>

#include <ATen/ATen.h>

#include "effnetv2/config/strict_json.h"
#include "effnetv2/core/error.h"
#include "effnetv2/data/fingerprint.h"
#include "effnetv2/run/saved_run.h"
#include "effnetv2/train/checkpoint.h"
#include "effnetv2/train/train_progress.h"

#include "fuzz/expect.h"
#include "support/state_file.h"

namespace effnetv2::fuzz {

/// A training state, of which all is read that a training goes on from, and is the same after it was written again.
inline void state(const std::string& raw) {
  expect_read_or_refused<CheckpointError>([&] {
    const TrainState state = read_state(FileBytes("fuzz", test::with_fitting_checksum(raw)));
    expect_read_or_refused<CheckpointError>([&] {
      TrainState again;
      again.values = to_json(train_progress(state));
      expect(to_json(train_progress(again)) == again.values);
    });
    const SavedRun run = saved_run(state);
    TrainState again;
    again.values["run"] = to_json(run);
    expect(to_json(saved_run(again)) == again.values["run"]);
    const nlohmann::json images{{"images", 3}, {"hash", "0123456789abcdef"}};
    first_difference(run.data, {{"a", {{"train", images}, {"val", images}, {"test", images}}}});
  });
}

/// A whole file around the values.
inline void state_values(const std::string& text) {
  if (is_utf8(text)) {
    state(test::state_file(text));
  }
}

}  // namespace effnetv2::fuzz
