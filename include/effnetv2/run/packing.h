#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "effnetv2/config/experiment_config.h"
#include "effnetv2/core/log.h"
#include "effnetv2/core/progress.h"
#include "effnetv2/data/pack_store.h"

namespace effnetv2 {

/// One of the packs that a config needs, made or found.
struct PackedImages {
  std::filesystem::path path;
  std::uint64_t bytes = 0;  ///< of the file
  std::int64_t images = 0;  ///< of the config, in this pack
  PackOutcome outcome;      ///< without the pack, which is closed
  double seconds = 0.0;
  std::vector<PackStore::Other> others;  ///< of other lists of files, perhaps of no use any more
};

/// Makes the packs of a config's train, val and test pictures where they do not stand. `verify`: reads those that do
/// and makes damaged ones anew. nullopt if a stop was requested: what was done is kept. Throws as PackStore::make.
std::optional<std::vector<PackedImages>> pack_images(const ExperimentConfig& config, bool verify, Log& log,
                                                     const ProgressFn& progress);

nlohmann::ordered_json to_json(const std::vector<PackedImages>& packs);

}  // namespace effnetv2
