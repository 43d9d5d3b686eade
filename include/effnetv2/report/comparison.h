#pragma once

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "effnetv2/report/run_record.h"

namespace effnetv2 {

/// Runs that differ in nothing that counts but their seeds.
struct RunGroup {
  std::string label;                            ///< what they are called in pictures and tables
  std::map<std::string, std::string> settings;  ///< of the keys that differ between groups, as text
  std::vector<std::size_t> runs;                ///< places in the list that was compared
};

/// Groups by the semantic keys of the configs, seed aside, in the order in which they first appear.
std::vector<RunGroup> group_runs(const std::vector<RunRecord>& runs);

/// What is told of one run in a table; null where it is not known.
nlohmann::ordered_json figures_of(const RunRecord& run);

/// {"n", "mean", "sd"} over the numbers among `values`; sd (of a sample) is null for fewer than two.
nlohmann::ordered_json spread_of(const std::vector<nlohmann::ordered_json>& values);

}  // namespace effnetv2
