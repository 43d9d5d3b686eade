#include "effnetv2/run/data_setup.h"

#include "effnetv2/core/error.h"
#include "effnetv2/core/text.h"
#include "effnetv2/run/runtime.h"

namespace effnetv2 {

Listing list_configured_images(const DataConfig& config) {
  if (!config.root) {
    throw ConfigError("data.root: is not set; give the folder of images with --set data.root=DIR");
  }
  return list_images(config);
}

std::int64_t resolve_num_classes(const ModelConfig& model, const Listing& listing) {
  const auto in_data = static_cast<std::int64_t>(listing.classes.size());
  if (model.num_classes && *model.num_classes < in_data) {
    throw ConfigError("model.num_classes: must be at least the number of classes in the data, " +
                      std::to_string(in_data) + ", got " + std::to_string(*model.num_classes));
  }
  return model.num_classes.value_or(in_data);
}

SplitData open_split(const ExperimentConfig& config, const Listing& listing, const std::vector<ImageFile>& files,
                     const std::string& split_name, Transform::Mode mode, Log& log, const CacheProgress& progress) {
  SplitData split;
  if (files.empty()) {
    return split;
  }
  split.dataset = std::make_shared<ImageDataset>(listing.root, files, config.data, mode);
  const auto bytes = split.dataset->cache_bytes();
  if (cache_fits(config.data.cache, bytes)) {
    const bool filled = split.dataset->fill_cache(std::max(1, loader_workers(config.data, false)),
                                                  [&](std::int64_t done, std::int64_t total) {
                                                    if (progress) {
                                                      progress(split_name, done, total);
                                                    }
                                                  });
    if (filled) {
      log.debug(split_name + " images are held in memory: " + human_bytes(static_cast<double>(bytes)));
    }
  } else {
    log.info(split_name + " images are decoded at each use: " +
             (config.data.cache == Cache::none
                  ? "data.cache is none"
                  : human_bytes(static_cast<double>(bytes)) + " would be too much to hold in memory"));
  }
  LoaderOptions options;
  options.batch_size = config.train.batch_size;
  options.shuffle = mode == Transform::Mode::train;
  options.drop_last = mode == Transform::Mode::train && config.train.drop_last;
  options.workers = loader_workers(config.data, split.dataset->cached());
  options.seed = config.seed;
  split.loader = std::make_unique<Loader>(split.dataset, options);
  return split;
}

SplitData open_split_once(const ExperimentConfig& config, const std::filesystem::path& root,
                          const std::vector<ImageFile>& files) {
  SplitData split;
  split.dataset = std::make_shared<ImageDataset>(root, files, config.data, Transform::Mode::eval);
  LoaderOptions options;
  options.batch_size = config.train.batch_size;
  options.workers = loader_workers(config.data, false);
  split.loader = std::make_unique<Loader>(split.dataset, options);
  return split;
}

}  // namespace effnetv2
