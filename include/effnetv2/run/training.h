#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "effnetv2/config/experiment_config.h"
#include "effnetv2/core/log.h"
#include "effnetv2/run/data_setup.h"
#include "effnetv2/train/trainer.h"

namespace effnetv2 {

/// What to do with the run directory.
enum class StartMode {
  create,            ///< refuse a directory that holds a run
  overwrite,         ///< remove the run that is there
  resume_or_create,  ///< start, continue, or report it done
};

struct TrainingRequest {
  ExperimentConfig config;
  std::optional<std::filesystem::path> run_dir;  ///< null: runs/<name>-<n>
  StartMode mode = StartMode::create;
};

/// For display; all optional.
struct TrainingEvents {
  CacheProgress on_cache;
  std::function<void(const StepInfo&)> on_step;
  std::function<void(std::int64_t done, std::int64_t total)> on_validation;
  std::function<void(const std::filesystem::path& run_dir)> on_epoch_end;
};

struct TrainingOutcome {
  std::filesystem::path run_dir;
  StopReason reason = StopReason::epochs;
  bool was_done = false;  ///< nothing had to be done
  std::string summary;    ///< one line: what was reached
};

/// Runs (or goes on with) an experiment: data, network, trainer, run directory, checkpoints, result.json.
TrainingOutcome run_training(const TrainingRequest& request, const TrainingEvents& events,
                             const std::shared_ptr<Log>& log);

/// `effnetv2 resume`: the request that continues run_dir with its own config and `sets`.
TrainingRequest resume_request(const std::filesystem::path& run_dir, const std::vector<std::string>& sets);

}  // namespace effnetv2
