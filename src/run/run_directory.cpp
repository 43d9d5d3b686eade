#include "effnetv2/run/run_directory.h"

#include <system_error>

#include "effnetv2/config/config.h"
#include "effnetv2/core/error.h"
#include "effnetv2/run/saved_run.h"
#include "effnetv2/train/checkpoint.h"

namespace effnetv2 {
namespace {

/// Our files of one evaluation, and the folder if nothing else is in it.
void remove_evaluation(const std::filesystem::path& folder) {
  std::error_code kept;
  for (const char* name : {"eval.json", "confusion.csv", "predictions.csv"}) {
    std::filesystem::remove(folder / name, kept);
  }
  std::filesystem::remove(folder, kept);
}

}  // namespace

RunDirectory::RunDirectory(const std::filesystem::path& path) : path_(std::filesystem::absolute(path)) {
  make_directories(path_);
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
  return std::filesystem::exists(path / "config.json") || std::filesystem::exists(path / "result.json") ||
         holds_state(path / "checkpoints");
}

bool RunDirectory::is_among_checkpoints(const std::filesystem::path& file) {
  const auto folder = std::filesystem::weakly_canonical(std::filesystem::absolute(file)).parent_path();
  return folder.filename() == "checkpoints" && holds_run(folder.parent_path());
}

ExperimentConfig RunDirectory::stored_config(const std::filesystem::path& path, const std::vector<std::string>& sets) {
  if (!std::filesystem::exists(path / "config.json")) {
    if (const auto state = read_state(path / "checkpoints", [](const std::string&) {})) {
      return parse_config(to_json(saved_run(*state).config), path, sets);
    }
    throw ConfigError(path.string() + ": is no run directory: it has no config.json");
  }
  return load_config(path / "config.json", sets);
}

std::filesystem::path RunDirectory::weights(const std::filesystem::path& path, const std::string& checkpoint) {
  auto file = path / "checkpoints" / (checkpoint + ".safetensors");
  if (std::filesystem::exists(file)) {
    return file;
  }
  if (!holds_run(path)) {
    throw CheckpointError(path.string() + ": is a folder, but no run directory");
  }
  throw CheckpointError(file.string() + ": there are no \"" + checkpoint +
                        "\" weights yet; best appears after the first epoch, last at the end of the training");
}

bool RunDirectory::has_progress() const {
  return holds_state(checkpoints()) || std::filesystem::exists(result());
}

void RunDirectory::clear() {
  // config.json last: until then, whatever is left is still known as a run
  remove_state();
  std::error_code kept;  // folders that hold files of others stay
  for (const auto& evaluation : std::filesystem::directory_iterator(path_ / "eval", kept)) {
    remove_evaluation(evaluation.path());
  }
  std::filesystem::remove(path_ / "eval", kept);
  for (const auto& file :
       {report(), result(), best(), last(), metrics_jsonl(), metrics_csv(), events(), log(), environment(), config()}) {
    std::filesystem::remove(file);
  }
}

void RunDirectory::remove_evaluations() {
  for (const char* split : {"val", "test"}) {
    remove_evaluation(path_ / "eval" / split);
  }
}

void RunDirectory::remove_state() {
  effnetv2::remove_state(checkpoints());
  remove_leftovers();
}

void RunDirectory::remove_leftovers() {
  for (const auto& folder : {path_, checkpoints(), path_ / "eval" / "val", path_ / "eval" / "test"}) {
    remove_stale_temporaries(folder);
  }
}

}  // namespace effnetv2
