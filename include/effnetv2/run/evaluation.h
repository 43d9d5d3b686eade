#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "effnetv2/config/experiment_config.h"
#include "effnetv2/core/log.h"
#include "effnetv2/run/data_setup.h"

namespace effnetv2 {

struct EvaluationRequest {
  std::optional<std::filesystem::path> run_dir;  ///< or weights with config
  std::optional<std::filesystem::path> weights;
  std::optional<std::filesystem::path> config;
  std::string checkpoint = "best";            ///< best | last
  std::optional<std::filesystem::path> data;  ///< instead of data.root
  std::optional<std::string> split;  ///< val | test | train | all; null: val, or all for other data than the run's
  std::vector<std::string> sets;     ///< changes of the config, as "a.b=v"
};

/// The document of `eval --json` (CLI.md): split, samples, loss, top1, top5, per_class, seconds. Null if a stop was
/// requested (core/stop.h) before it was complete.
std::optional<nlohmann::ordered_json> run_evaluation(const EvaluationRequest& request, const CacheProgress& on_cache,
                                                     const ProgressFn& on_progress, const std::shared_ptr<Log>& log);

}  // namespace effnetv2
