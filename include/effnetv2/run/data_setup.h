#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "effnetv2/config/experiment_config.h"
#include "effnetv2/core/log.h"
#include "effnetv2/core/progress.h"
#include "effnetv2/data/dataset.h"
#include "effnetv2/data/listing.h"
#include "effnetv2/data/loader.h"
#include "effnetv2/data/pack_store.h"

namespace effnetv2 {

/// One split, ready to be read.
struct SplitData {
  std::shared_ptr<ImageDataset> dataset;
  std::unique_ptr<Loader> loader;
};

/// Told which split is being decoded into the cache, and how far it is.
using CacheProgress = std::function<void(const std::string& split, std::int64_t done, std::int64_t total)>;

/// Lists the data of a config and gives a message that names the key if there is no data.root.
Listing list_configured_images(const DataConfig& config);

/// num_classes of a config whose data is known: the data's, or the config's if that is not smaller. Throws ConfigError.
std::int64_t resolve_num_classes(const ModelConfig& model, const Listing& listing);

/// How a config's packs are made: by data.workers threads, else by as many as compute, which have nothing to do
/// meanwhile. `log` must outlive what is returned.
PackOptions pack_options(const ExperimentConfig& config, Log& log, ProgressFn progress);

/// One split of `listing` with what data.cache says (a pack found or made, memory filled if it fits) and loader. Empty
/// splits give null members. Returns without a cache if a stop was requested meanwhile.
SplitData open_split(const ExperimentConfig& config, const Listing& listing, const FileList& files,
                     const std::string& split_name, Transform::Mode mode, Log& log, const CacheProgress& progress);

/// The same for a single pass in eval mode: no cache is made, but a pack that stands is used.
SplitData open_split_once(const ExperimentConfig& config, const std::filesystem::path& root, const FileList& files);

}  // namespace effnetv2
