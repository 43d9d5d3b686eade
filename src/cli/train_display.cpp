#include "train_display.h"

#include <cstdio>
#include <iostream>

#include "effnetv2/core/error.h"
#include "effnetv2/core/text.h"

#include "progress_bar.h"

namespace effnetv2::cli {
namespace {

std::string loss_and_accuracy(const StepInfo& step) {
  char text[96];
  std::snprintf(text, sizeof text, "loss %.4f top-1 %.3f %.0f img/s", step.loss, step.top1, step.images_per_second);
  return text;
}

}  // namespace

int train_with_display(const TrainingRequest& request, const CommonOptions& common) {
  const auto log = common.make_log();
  ProgressBar bar(*log, "", "img", !common.quiet);
  std::string label;
  const auto show = [&](const std::string& wanted, const char* unit, std::int64_t done, std::int64_t total,
                        const std::string& text) {
    if (wanted != label) {
      label = wanted;
      bar.restart(label, unit);
    }
    bar.update(done, total, text);
  };
  TrainingEvents events;
  events.on_cache = [&](const std::string& split, std::int64_t done, std::int64_t total) {
    show("decoding " + split, "img", done, total, "");
    if (done == total) {
      bar.finish();
    }
  };
  if (bar.active()) {
    events.on_step = [&](const StepInfo& step) {
      show("epoch " + std::to_string(step.epoch) + "/" + std::to_string(step.epochs), "batch", step.batch, step.batches,
           loss_and_accuracy(step));
    };
  }
  events.on_validation = [&](std::int64_t done, std::int64_t total) { show("validating", "img", done, total, ""); };
  events.on_epoch_end = [&] { bar.finish(); };

  const TrainingOutcome outcome = run_training(request, events, log);
  bar.finish();
  if (outcome.reason == StopReason::interrupted) {
    return kExitInterrupted;
  }
  std::cout << (outcome.was_done ? "already done: " : "done: ") << outcome.summary << "; " << outcome.run_dir.string()
            << "\n";
  return kExitDone;
}

}  // namespace effnetv2::cli
