#include "effnetv2/run/run_directory.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include "effnetv2/config/config.h"
#include "effnetv2/config/strict_json.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/core/text.h"
#include "effnetv2/run/saved_run.h"
#include "effnetv2/train/checkpoint.h"

namespace effnetv2 {
namespace {

/// What a run writes beside its states and its environment, in the order in which it is removed.
std::vector<std::filesystem::path> files_of(const RunPaths& run) {
  return {run.report(),      run.result(), run.best(), run.last(),  run.metrics_jsonl(),
          run.metrics_csv(), run.events(), run.log(),  run.config()};
}

constexpr auto kOwnEvaluations = {"val", "test"};

/// At most so many bytes; "" if it cannot be read.
std::string beginning_of(const std::filesystem::path& file, std::size_t most) {
  std::string text(most, '\0');
  std::ifstream stream(file, std::ios::binary);
  stream.read(text.data(), static_cast<std::streamsize>(most));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

bool is_environment_of_a_run(const std::filesystem::path& file) {
  std::error_code missing;
  if (!std::filesystem::is_regular_file(file, missing)) {
    return false;
  }
  try {
    const auto environment = read_json_object<nlohmann::json>(file);
    return environment.contains("config_hash") && environment.contains("git_revision");
  } catch (const FileError&) {
    return false;
  }
}

/// Whether `file` begins as `pattern`, in which 0 is any digit. What a power cut left of it does too: zeros for bytes
/// that were not written, or no more bytes.
bool begins_as(const std::filesystem::path& file, std::string_view pattern) {
  const std::string text = beginning_of(file, pattern.size());
  return std::equal(text.begin(), text.end(), pattern.begin(), [](char c, char wanted) {
    return c == '\0' || (wanted == '0' ? c >= '0' && c <= '9' : c == wanted);
  });
}

/// Whether something with content has the name of a file of ours. A lock and a log are there before env.json is.
bool is_in_the_way(const RunPaths& run, const std::filesystem::path& file) {
  std::error_code code;
  const bool regular = std::filesystem::is_regular_file(file, code);
  if (!std::filesystem::exists(file, code) || (regular && std::filesystem::file_size(file, code) == 0)) {
    return false;
  }
  const std::string_view pattern = file == run.lock() ? "process 0" : file == run.log() ? "0000-00-00 00:00:00 " : "";
  return pattern.empty() || !regular || !begins_as(file, pattern);
}

/// Our files of one evaluation, and the folder if nothing else is in it.
void remove_evaluation(const std::filesystem::path& folder) {
  std::error_code kept;
  for (const auto& file : EvaluationPaths(folder).all()) {
    std::filesystem::remove(file, kept);
  }
  std::filesystem::remove(folder, kept);
}

}  // namespace

RunDirectory::RunDirectory(const std::filesystem::path& path) : RunPaths(std::filesystem::absolute(path)) {
  make_directories(this->path());
  make_directories(checkpoints());
  lock_ = std::make_unique<FileLock>(lock());
}

RunDirectory RunDirectory::next_free(const std::string& name) {
  const std::filesystem::path runs = kDefaultParent;
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
  const RunPaths run(path);
  return holds_state(run.checkpoints()) || is_environment_of_a_run(run.environment());
}

void RunDirectory::check_free(const std::filesystem::path& path) {
  const RunPaths run(path);
  auto files = files_of(run);
  files.insert(files.begin(), {run.environment(), run.lock()});
  for (const char* split : kOwnEvaluations) {
    for (const auto& file : EvaluationPaths(run.evaluations() / split).all()) {
      files.push_back(file);
    }
  }
  for (const auto& file : files) {
    if (is_in_the_way(run, file)) {
      throw ConfigError(printable(path.string()) + ": holds files that are no run's, such as " +
                        file.lexically_relative(path).string() +
                        ", which a run there would replace; choose another --run-dir, or move them away");
    }
  }
}

bool RunDirectory::is_among_checkpoints(const std::filesystem::path& file) {
  const auto folder = std::filesystem::weakly_canonical(std::filesystem::absolute(file)).parent_path();
  return folder.filename() == "checkpoints" && holds_run(folder.parent_path());
}

ExperimentConfig RunDirectory::stored_config(const std::filesystem::path& path, const std::vector<std::string>& sets) {
  const RunPaths run(path);
  if (!std::filesystem::exists(run.config())) {
    if (const auto state = read_state(run.checkpoints(), [](const std::string&) {})) {
      return parse_config(to_json(saved_run(*state).config), path, sets);
    }
    throw ConfigError(path.string() + ": is no run directory: it has no config.json");
  }
  return load_config(run.config(), sets);
}

std::filesystem::path RunDirectory::weights(const std::filesystem::path& path, const std::string& checkpoint) {
  auto file = RunPaths(path).checkpoints() / (checkpoint + ".safetensors");
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
  remove_state();
  std::error_code kept;  // folders that hold files of others stay
  for (const auto& evaluation : std::filesystem::directory_iterator(evaluations(), kept)) {
    remove_evaluation(evaluation.path());
  }
  std::filesystem::remove(evaluations(), kept);
  for (const auto& file : files_of(*this)) {
    std::filesystem::remove(file);
  }
  // last, as whatever is left until then is known as a run by it
  sync_directory(path());
  std::filesystem::remove(environment());
}

void RunDirectory::remove_evaluations() {
  for (const char* split : kOwnEvaluations) {
    remove_evaluation(evaluations() / split);
  }
}

void RunDirectory::remove_state() {
  effnetv2::remove_state(checkpoints());
  remove_leftovers();
}

void RunDirectory::remove_leftovers() {
  remove_stale_temporaries(path());
  remove_stale_temporaries(checkpoints());
  for (const char* split : kOwnEvaluations) {
    remove_stale_temporaries(evaluations() / split);
  }
}

}  // namespace effnetv2
