#include "effnetv2/run/plan.h"

#include <cstdio>
#include <vector>

#include <nlohmann/json.hpp>

#include "effnetv2/config/config.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/text.h"
#include "effnetv2/data/listing.h"
#include "effnetv2/data/loader.h"
#include "effnetv2/model/architecture.h"
#include "effnetv2/model/summary.h"
#include "effnetv2/run/data_setup.h"
#include "effnetv2/run/network.h"
#include "effnetv2/run/runtime.h"
#include "effnetv2/train/freeze.h"
#include "effnetv2/train/optimizer.h"
#include "effnetv2/train/schedule.h"
#include "effnetv2/train/trainer.h"

namespace effnetv2 {
namespace {

std::string images_table(const Listing& listing) {
  const auto count = [&](const FileList& files) {
    std::vector<std::int64_t> counts(listing.classes.size());
    for (std::size_t i = 0; i < files.size(); ++i) {
      ++counts[static_cast<std::size_t>(files.label(i))];
    }
    return counts;
  };
  const auto train = count(listing.train), val = count(listing.val), test = count(listing.test);
  std::string text;
  char line[256];
  std::snprintf(line, sizeof line, "%-32s %9s %11s %9s\n", "class", "training", "validation", "test");
  text += line;
  for (std::size_t i = 0; i < listing.classes.size(); ++i) {
    std::snprintf(line, sizeof line, "%-32.64s %9lld %11lld %9lld\n", printable(listing.class_titles[i]).c_str(),
                  static_cast<long long>(train[i]), static_cast<long long>(val[i]), static_cast<long long>(test[i]));
    text += line;
  }
  std::snprintf(line, sizeof line, "%-32s %9zu %11zu %9zu\n", "all", listing.train.size(), listing.val.size(),
                listing.test.size());
  text += line;
  if (listing.greyscale_left_out > 0) {
    text += with_commas(listing.greyscale_left_out) + " grey pictures are left out (data.skip_greyscale)\n";
  }
  return text;
}

/// Parameters that do not learn in the first epoch.
std::int64_t frozen_parameters(const TrainConfig& config, const Summary& size) {
  // rows: the stem, the stages, the head, the classifier
  const auto frozen = frozen_features(config, static_cast<std::int64_t>(size.rows.size()) - 3, 0);
  std::int64_t parameters = 0;
  for (std::int64_t row = 0; row < frozen; ++row) {
    parameters += size.rows[static_cast<std::size_t>(row)].parameters;
  }
  return parameters;
}

std::int64_t batches_of(const ExperimentConfig& config, const Listing& listing) {
  return batches_per_epoch(static_cast<std::int64_t>(listing.train.size()), config.train.batch_size,
                           config.train.drop_last);
}

}  // namespace

void check_plan(const ExperimentConfig& config, const Listing& listing) {
  const auto images = static_cast<std::int64_t>(listing.train.size());
  const auto& train = config.train;
  const std::string found =
      with_commas(images) + " training images and a batch size of " + with_commas(train.batch_size);
  if (batches_of(config, listing) == 0) {
    throw ConfigError("train.drop_last: leaves nothing to train on: there are " + found +
                      "; use a smaller train.batch_size");
  }
  const bool single = train.batch_size == 1 || (images % train.batch_size == 1 && !train.drop_last);
  if (single && ends_in_one_pixel(architecture(config.model, *config.model.num_classes), config.data.image_size)) {
    throw ConfigError(
        "train.batch_size: there are " + found +
        ", which makes a batch of one image; BatchNorm cannot train on that where maps shrink to 1x1; use "
        "another train.batch_size, train.drop_last or a larger data.image_size");
  }
  check_monitor(train, !listing.val.empty());
  const auto stages = static_cast<std::int64_t>(with_defaults(config.model).stages->size());
  frozen_features(train, stages, 0);  // throws for stages that are not there
}

std::string describe_plan(const ExperimentConfig& asked) {
  ExperimentConfig config = resolve_runtime(asked, Use::training);
  config.model = with_defaults(config.model);
  const Listing listing = list_configured_images(config.data);
  config.model.num_classes = resolve_num_classes(config.model, listing);
  const auto network = architecture(config.model, *config.model.num_classes);
  check_plan(config, listing);
  if (config.model.weights) {
    initial_weights(*config.model.weights);  // throws if they are not there
  }
  const Summary size = summarize(network, config.data.image_size, config.data.image_size);

  const auto steps = steps_per_epoch(batches_of(config, listing), config.train.accumulate);
  const auto bytes =
      estimate_training_bytes(size, config.train.batch_size, optimizer_slots(config.train.optimizer),
                              config.train.ema.decay.has_value(), config.precision == Precision::bf16 ? 2 : 4);
  char line[256];
  std::string text = to_json(config).dump(2) + "\n\n" + images_table(listing) + "\n";
  std::snprintf(line, sizeof line,
                "parameters        %s\nMACs per image    %.3f G\nblocks            %lld\nsteps per epoch   %lld\n"
                "steps in all      %lld\nestimated memory  %s\n",
                with_commas(size.parameters).c_str(), static_cast<double>(size.macs) / 1e9,
                static_cast<long long>(size.blocks), static_cast<long long>(steps),
                static_cast<long long>(steps) * config.train.epochs, human_bytes(bytes).c_str());
  text += line;
  if (const std::int64_t frozen = frozen_parameters(config.train, size); frozen > 0) {
    text += "learning at first " + with_commas(size.parameters - frozen) + " parameters\n";
  }
  return text;
}

}  // namespace effnetv2
