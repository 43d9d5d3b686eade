#include "effnetv2/run/data_setup.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <c10/core/Device.h>

#include "effnetv2/core/cores.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/text.h"
#include "effnetv2/ops/cuda_device.h"
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

PackOptions pack_options(const ExperimentConfig& config, Log& log, ProgressFn progress) {
  PackOptions options;
  const std::int64_t workers = config.data.workers.value_or(config.threads.value_or(usable_cores()));
  options.workers = static_cast<int>(std::max<std::int64_t>(1, workers));
  options.on_bad_image = config.data.on_bad_image;
  options.progress = std::move(progress);
  options.tell = [&log](const std::string& message) { log.info(message); };
  return options;
}

namespace {

/// A pack that stands. One that is damaged costs time, not the run: `tell` gets what is wrong with it.
std::optional<FoundPack> find_pack(const DataConfig& config, const Transform& transform, const FileList& files,
                                   const std::function<void(const std::string&)>& tell) {
  std::filesystem::path folder;
  try {
    folder = pack_folder(config);
  } catch (const EnvironmentError&) {
    return std::nullopt;  // no folder, no packs
  }
  std::vector<std::string> damaged;
  auto pack = PackStore(folder).find(transform, files, &damaged);
  if (!pack) {
    std::ranges::for_each(damaged, tell);
  }
  return pack;
}

/// nullopt if a stop was requested meanwhile.
std::optional<FoundPack> make_pack(const ExperimentConfig& config, const Listing& listing, const Transform& transform,
                                   const FileList& files, Log& log, const CacheProgress& progress) {
  const PackStore store(pack_folder(config.data));
  const PackOptions options = pack_options(config, log, [&](std::int64_t done, std::int64_t total) {
    if (progress) {
      progress("a pack", done, total);
    }
  });
  for (const auto& contents : packs_of(config.data, listing, config.train.eval_train)) {
    if (contents.transform.form() == transform.form()) {
      const PackOutcome outcome = store.make(contents, options);
      if (!outcome.pack) {
        return std::nullopt;
      }
      log.info(outcome.pack->path().string() + ": packed " +
               with_commas(static_cast<std::int64_t>(outcome.pack->size())) + " images, " +
               human_bytes(static_cast<double>(outcome.pack->bytes())));
      for (const auto& other : store.others(contents)) {
        log.info(other.path.string() + ", " + human_bytes(static_cast<double>(other.bytes)) +
                 ": an earlier pack of other files; delete it if nothing else uses it");
      }
    }
  }
  return store.find(transform, files);
}

/// Whether pictures of so many bytes may stay on the device: a tenth of what a card has free, as training comes first.
bool fits_on_card(const std::string& device, std::size_t bytes) {
  const c10::Device card(device);
  return bytes > 0 && !card.is_cpu() && cuda_kernels_built() &&
         bytes <= static_cast<std::size_t>(cuda_free_bytes(std::max<int>(0, card.index()))) / 10;
}

}  // namespace

SplitData open_split(const ExperimentConfig& config, const Listing& listing, const FileList& files,
                     const std::string& split_name, Transform::Mode mode, Log& log, const CacheProgress& progress) {
  SplitData split;
  if (files.empty()) {
    return split;
  }
  split.dataset = std::make_shared<ImageDataset>(listing.root, files, config.data, mode);
  const Cache cache = config.data.cache;
  const Transform& transform = split.dataset->transform();
  std::optional<FoundPack> pack;
  if (cache == Cache::automatic || cache == Cache::disk) {
    pack = find_pack(config.data, transform, files, [&](const std::string& damage) {
      if (cache == Cache::automatic) {  // else making one says so
        log.warn(damage);
      }
    });
  }
  if (!pack && cache == Cache::disk) {
    pack = make_pack(config, listing, transform, files, log, progress);
  }
  std::uint64_t bytes = 0;
  if (pack) {
    log.info(split_name + " images come from " + pack->pack->path().string());
    split.dataset->use_pack(std::move(*pack));
  } else if (cache == Cache::none) {
    log.info(split_name + " images are decoded at each use: data.cache is none");
  } else if (cache == Cache::disk) {
    log.debug("packing was interrupted");
  } else if (bytes = split.dataset->cache_bytes(); cache_fits(cache, bytes)) {
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
    log.info(split_name + " images are decoded at each use: " + human_bytes(static_cast<double>(bytes)) +
             " would be too much to hold in memory; effnetv2 data pack can decode them once, to the disk");
  }
  LoaderOptions options;
  options.batch_size = config.train.batch_size;
  options.shuffle = mode == Transform::Mode::train;
  options.drop_last = mode == Transform::Mode::train && config.train.drop_last;
  options.held = fits_on_card(config.device, split.dataset->block().size());
  if (options.held) {
    log.debug(split_name + " images are held on the card: " + human_bytes(static_cast<double>(bytes)));
  }
  options.workers = options.held ? 0 : loader_workers(config.data, split.dataset->cached());
  options.seed = config.seed;
  split.loader = std::make_unique<Loader>(split.dataset, options);
  return split;
}

SplitData open_split_once(const ExperimentConfig& config, const std::filesystem::path& root, const FileList& files) {
  SplitData split;
  split.dataset = std::make_shared<ImageDataset>(root, files, config.data, Transform::Mode::eval);
  if (config.data.cache == Cache::automatic || config.data.cache == Cache::disk) {
    if (auto pack = find_pack(config.data, split.dataset->transform(), files, [](const std::string&) {})) {
      split.dataset->use_pack(std::move(*pack));
    }
  }
  LoaderOptions options;
  options.batch_size = config.train.batch_size;
  options.workers = loader_workers(config.data, false);
  split.loader = std::make_unique<Loader>(split.dataset, options);
  return split;
}

}  // namespace effnetv2
