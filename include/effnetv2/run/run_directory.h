#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "effnetv2/config/experiment_config.h"
#include "effnetv2/core/lock.h"
#include "effnetv2/core/run_paths.h"

namespace effnetv2 {

/// The folder of one run, its files and its lock.
class RunDirectory : public RunPaths {
 public:
  /// Where runs go that are given no directory, below the current one.
  static constexpr const char* kDefaultParent = "runs";

  /// Makes the folder `path` if needed and takes its lock. Throws EnvironmentError if another process has it.
  explicit RunDirectory(const std::filesystem::path& path);

  /// <kDefaultParent>/<name>-<n> with the next free n, made and locked.
  static RunDirectory next_free(const std::string& name);

  /// True if `path` holds a run: a training state is there, or the env.json that a run writes first and loses last.
  static bool holds_run(const std::filesystem::path& path);
  /// For a `path` that holds no run: throws ConfigError, naming it, if a file that no run wrote has a name that a run
  /// there would write to.
  static void check_free(const std::filesystem::path& path);
  /// True if `file` lies, links resolved, in the folder where a run keeps its states and weights.
  static bool is_among_checkpoints(const std::filesystem::path& file);
  /// The config a run was started with, changed by `sets`: of config.json, or else of the training state. Throws
  /// ConfigError if `path` has neither.
  static ExperimentConfig stored_config(const std::filesystem::path& path, const std::vector<std::string>& sets = {});

  /// The file in which the run at `path` keeps its `checkpoint` (best | last) weights. Throws CheckpointError if it is
  /// not there yet or `path` is no run.
  static std::filesystem::path weights(const std::filesystem::path& path, const std::string& checkpoint = "best");

  /// True if a training state or a result is there, which other settings could not go on from.
  bool has_progress() const;

  /// Removes every file of ours (and only those), for --overwrite. The lock stays.
  void clear();
  /// Removes state.safetensors and the previous one.
  void remove_state();
  /// Temporaries that a killed process left.
  void remove_leftovers();
  /// Removes what the end of training left in eval/.
  void remove_evaluations();

 private:
  std::unique_ptr<FileLock> lock_;
};

}  // namespace effnetv2
