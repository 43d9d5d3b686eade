#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "effnetv2/core/log.h"
#include "effnetv2/core/progress.h"
#include "effnetv2/run/trained_model.h"

namespace effnetv2 {

struct EvaluationRequest {
  TrainedModelRequest model;
  std::optional<std::filesystem::path> data;  ///< instead of data.root
  std::optional<std::string> split;  ///< val | test | train | all; null: val, or all for other data than the run's
  /// Class folders are looked up by name among the network's classes, which may be more and in another order.
  bool match_classes = false;
  /// Where eval.json, confusion.csv and predictions.csv go; null: RUN_DIR/eval/<name> of a run, eval/<weights>-<name>
  /// in the current directory otherwise. <name> is the split, with "last-" and the folder's name of other data before
  /// it, and a number after it where that is taken by another folder of that name.
  std::optional<std::filesystem::path> output;
};

/// The document of `eval --json` (CLI.md): split, samples, loss, top1, top5, per_class, seconds and more. Null if a
/// stop was requested (core/stop.h) before it was complete; nothing is written then.
std::optional<nlohmann::ordered_json> run_evaluation(const EvaluationRequest& request, const ProgressFn& on_progress,
                                                     const std::shared_ptr<Log>& log);

}  // namespace effnetv2
