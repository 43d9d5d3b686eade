#include "train_display.h"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "effnetv2/core/error.h"
#include "effnetv2/core/run_paths.h"
#include "effnetv2/core/text.h"

#include "progress_bar.h"
#include "report_writer.h"

namespace effnetv2::cli {
namespace {

std::string loss_and_accuracy(const StepInfo& step) {
  char text[96];
  std::snprintf(text, sizeof text, "loss %.4f top-1 %.3f %.0f img/s", step.loss, step.top1, step.images_per_second);
  return text;
}

/// Whether a run that had ended was killed before it drew its last page.
bool lacks_last_page(const std::filesystem::path& run_dir) {
  const RunPaths run(run_dir);
  std::error_code missing;
  const auto page = std::filesystem::last_write_time(run.report(), missing);
  return missing || page < std::filesystem::last_write_time(run.result(), missing);
}

/// Keeps a run's page current while it trains. A page that cannot be written is no reason to stop.
class PageWriter {
 public:
  explicit PageWriter(Log& log) : log_(log) {}

  /// At most twice a minute.
  void refresh(const std::filesystem::path& run_dir) {
    if (const auto now = Clock::now(); now - last_ >= std::chrono::seconds(30)) {
      last_ = now;
      write(run_dir);
    }
  }
  void write(const std::filesystem::path& run_dir) {
    try {
      write_report({run_dir}, RunPaths(run_dir).report(), log_);
    } catch (const std::exception& e) {
      log_.warn(std::string("the report was not written: ") + e.what());
    }
  }

 private:
  using Clock = std::chrono::steady_clock;
  Log& log_;
  Clock::time_point last_ = Clock::now() - std::chrono::hours(1);
};

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
  PageWriter page(*log);
  events.on_epoch_end = [&](const std::filesystem::path& run_dir) {
    bar.finish();
    page.refresh(run_dir);
  };

  const TrainingOutcome outcome = run_training(request, events, log);
  bar.finish();
  if (outcome.was_done ? lacks_last_page(outcome.run_dir)
                       : std::filesystem::exists(RunPaths(outcome.run_dir).config())) {
    page.write(outcome.run_dir);
  }
  if (outcome.reason == StopReason::interrupted) {
    return kExitInterrupted;
  }
  std::cout << (outcome.was_done ? "already done: " : "done: ") << outcome.summary << "; " << outcome.run_dir.string()
            << "\n";
  return kExitDone;
}

}  // namespace effnetv2::cli
