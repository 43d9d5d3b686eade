#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "effnetv2/core/log.h"

namespace CLI {
class App;
}

namespace effnetv2::cli {

/// Options that every verb takes.
struct CommonOptions {
  std::optional<std::string> device;
  std::optional<std::int64_t> threads;
  bool quiet = false;
  bool verbose = false;

  /// To stderr at the level that --quiet and --verbose ask for.
  std::shared_ptr<Log> make_log() const;
  /// `sets`, the user's own --set items, followed by --device and --threads as such items.
  std::vector<std::string> after(std::vector<std::string> sets) const;
};

/// What main does after parsing: the verb's work, returning its exit code. Errors are thrown.
using Run = std::function<int()>;

/// Each add_* declares one verb on `app`; when that verb was given, it puts its work into `run`.
/// One per cmd_<verb>.cpp.
void add_train(CLI::App& app, Run& run);
void add_resume(CLI::App& app, Run& run);
void add_eval(CLI::App& app, Run& run);
void add_predict(CLI::App& app, Run& run);
void add_convert(CLI::App& app, Run& run);
void add_report(CLI::App& app, Run& run);
void add_summary(CLI::App& app, Run& run);
void add_bench(CLI::App& app, Run& run);
void add_data(CLI::App& app, Run& run);
/// The part of `data` that works from a config.
void add_data_pack(CLI::App& verb, Run& run);
void add_config(CLI::App& app, Run& run);
void add_docs(CLI::App& app, Run& run);

/// CONFIG.json as an argument of a verb.
void add_config_file(CLI::App& verb, std::string& file);

/// --set on a verb, repeatable.
void add_sets(CLI::App& verb, std::vector<std::string>& sets,
              const std::string& help = "change a key of the config: a.b=value (repeatable)");

/// --device, --threads, --quiet, --verbose on a verb.
void add_common(CLI::App& verb, CommonOptions& options);

}  // namespace effnetv2::cli
