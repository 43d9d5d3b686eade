#include "effnetv2/run/run_directory.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include "effnetv2/config/config.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/text.h"
#include "effnetv2/run/saved_run.h"
#include "effnetv2/train/checkpoint.h"

namespace effnetv2 {
namespace {

/// What a run writes beside its states, in the order in which it is removed.
constexpr auto kFiles = {"report.html",   "result.json", "checkpoints/best.safetensors", "checkpoints/last.safetensors",
                         "metrics.jsonl", "metrics.csv", "events.out.tfevents.effnetv2", "log.txt",
                         "config.json"};
constexpr auto kEvaluationFiles = {"eval.json", "confusion.csv", "predictions.csv"};
constexpr const char* kEnvironment = "env.json";

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
  constexpr std::size_t kMost = std::size_t{4} << 20;  // it holds a command line
  const std::string text = beginning_of(file, kMost);
  return text.find("\"config_hash\"") != std::string::npos && text.find("\"git_revision\"") != std::string::npos;
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
bool is_in_the_way(const std::filesystem::path& folder, const std::filesystem::path& name) {
  const auto file = folder / name;
  std::error_code code;
  const bool regular = std::filesystem::is_regular_file(file, code);
  if (!std::filesystem::exists(file, code) || (regular && std::filesystem::file_size(file, code) == 0)) {
    return false;
  }
  const std::string_view pattern = name == ".lock" ? "process 0" : name == "log.txt" ? "0000-00-00 00:00:00 " : "";
  return pattern.empty() || !regular || !begins_as(file, pattern);
}

/// Our files of one evaluation, and the folder if nothing else is in it.
void remove_evaluation(const std::filesystem::path& folder) {
  std::error_code kept;
  for (const char* name : kEvaluationFiles) {
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
  return holds_state(path / "checkpoints") || is_environment_of_a_run(path / kEnvironment);
}

void RunDirectory::check_free(const std::filesystem::path& path) {
  std::vector<std::filesystem::path> names{kEnvironment, ".lock"};
  names.insert(names.end(), kFiles.begin(), kFiles.end());
  for (const char* split : {"val", "test"}) {
    for (const char* name : kEvaluationFiles) {
      names.push_back(std::filesystem::path("eval") / split / name);
    }
  }
  for (const auto& name : names) {
    if (is_in_the_way(path, name)) {
      throw ConfigError(printable(path.string()) + ": holds files that are no run's, such as " + name.string() +
                        ", which a run there would replace; choose another --run-dir, or move them away");
    }
  }
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
  remove_state();
  std::error_code kept;  // folders that hold files of others stay
  for (const auto& evaluation : std::filesystem::directory_iterator(path_ / "eval", kept)) {
    remove_evaluation(evaluation.path());
  }
  std::filesystem::remove(path_ / "eval", kept);
  for (const char* name : kFiles) {
    std::filesystem::remove(path_ / name);
  }
  // last, as whatever is left until then is known as a run by it
  sync_directory(path_);
  std::filesystem::remove(environment());
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
