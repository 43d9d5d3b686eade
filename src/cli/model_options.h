#pragma once

#include <string>
#include <vector>

#include "effnetv2/run/trained_model.h"

#include "commands.h"

namespace effnetv2::cli {

/// RUN_DIR, or --weights FILE with --config CONFIG.json; --checkpoint; --set; and what every verb takes.
struct ModelOptions {
  std::string run_dir, weights, config, checkpoint = "best";
  std::vector<std::string> sets;
  CommonOptions common;

  /// Throws ConfigError, beginning with `verb`, if there is neither a run nor weights.
  TrainedModelRequest request(const std::string& verb) const;
};

/// All but RUN_DIR, whose place among the positional arguments is the verb's own.
void add_model_options(CLI::App& verb, ModelOptions& options);

}  // namespace effnetv2::cli
