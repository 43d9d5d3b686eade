#include "effnetv2/run/run_directory.h"

#include <system_error>

#include "effnetv2/config/config.h"
#include "effnetv2/core/error.h"

namespace effnetv2 {

RunDirectory::RunDirectory(const std::filesystem::path& path) : path_(std::filesystem::absolute(path)) {
  make_directories(checkpoints());
  lock_ = std::make_unique<FileLock>(path_ / ".lock");
}

RunDirectory RunDirectory::next_free(const std::string& name) {
  const std::filesystem::path runs = "runs";
  make_directories(runs);
  for (int n = 1;; ++n) {
    const auto path = runs / (name + "-" + std::to_string(n));
    std::error_code code;
    // create_directory tells whether it was us: two processes never take the same number
    if (std::filesystem::create_directory(path, code)) {
      return RunDirectory(path);
    }
    if (code) {
      throw EnvironmentError(path.string() + ": cannot make the folder: " + code.message());
    }
  }
}

bool RunDirectory::holds_run(const std::filesystem::path& path) {
  return std::filesystem::exists(path / "config.json");
}

ExperimentConfig RunDirectory::stored_config(const std::filesystem::path& path) {
  if (!holds_run(path)) {
    throw ConfigError(path.string() + ": is no run directory: it has no config.json");
  }
  return load_config(path / "config.json");
}

void RunDirectory::clear() {
  for (const auto& file : {config(), environment(), log(), metrics_jsonl(), metrics_csv(), result(), best(), last()}) {
    std::filesystem::remove(file);
  }
  remove_state();
}

void RunDirectory::remove_state() {
  for (const char* name : {"state.safetensors", "state.previous.safetensors"}) {
    std::filesystem::remove(checkpoints() / name);
  }
  remove_stale_temporaries(checkpoints());
  remove_stale_temporaries(path_);
}

}  // namespace effnetv2
