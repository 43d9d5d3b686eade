#pragma once

#include <string>
#include <vector>

#include "effnetv2/run/subject.h"

#include "commands.h"

namespace effnetv2::cli {

/// RUN_DIR, or --weights FILE with --config CONFIG.json; --checkpoint; --set; and what every verb takes.
struct SubjectOptions {
  std::string run_dir, weights, config, checkpoint = "best";
  std::vector<std::string> sets;
  CommonOptions common;

  /// Throws ConfigError, beginning with `verb`, if there is neither a run nor weights.
  SubjectRequest request(const std::string& verb) const;
};

/// All but RUN_DIR, whose place among the positional arguments is the verb's own.
void add_subject(CLI::App& verb, SubjectOptions& options);

}  // namespace effnetv2::cli
