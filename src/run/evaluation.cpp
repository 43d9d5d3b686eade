#include "effnetv2/run/evaluation.h"

#include <algorithm>

#include "effnetv2/config/config.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/core/text.h"
#include "effnetv2/model/architecture.h"
#include "effnetv2/run/network.h"
#include "effnetv2/run/run_directory.h"
#include "effnetv2/run/runtime.h"
#include "effnetv2/train/evaluate.h"
#include "effnetv2/weights/safetensors.h"

namespace effnetv2 {
namespace {

struct Subject {
  ExperimentConfig config;
  std::filesystem::path weights;
};

Subject find_subject(const EvaluationRequest& request) {
  if (request.run_dir) {
    Subject subject{RunDirectory::stored_config(*request.run_dir, request.sets),
                    *request.run_dir / "checkpoints" / (request.checkpoint + ".safetensors")};
    if (!std::filesystem::exists(subject.weights)) {
      throw CheckpointError(subject.weights.string() + ": there are no \"" + request.checkpoint +
                            "\" weights yet; best appears after the first epoch, last at the end of the training");
    }
    return subject;
  }
  if (request.weights->extension() != ".safetensors") {
    throw CheckpointError(request.weights->string() + ": only .safetensors files can be read; .pth is not there yet");
  }
  return {load_config(*request.config, request.sets), *request.weights};
}

/// Labels are positions in a list of names: other names would give other classes' accuracies.
void check_classes(const std::filesystem::path& weights, const Listing& listing) {
  const SafetensorsFile file(weights);
  const auto it = file.metadata().find("classes");
  if (it == file.metadata().end()) {
    return;
  }
  const auto classes = nlohmann::json::parse(it->second, nullptr, /*allow_exceptions=*/false);
  const nlohmann::json here = printable(listing.classes);
  if (classes != here) {
    throw DataError(listing.root.string() + ": its class folders are not those that " + weights.string() +
                    " was trained on: " + classes.dump() + ", here " + here.dump());
  }
}

std::vector<ImageFile> files_of(const Listing& listing, const std::string& split) {
  if (split == "train") {
    return listing.train;
  }
  if (split == "val") {
    return listing.val;
  }
  if (split == "test") {
    return listing.test;
  }
  std::vector<ImageFile> all = listing.train;
  all.insert(all.end(), listing.val.begin(), listing.val.end());
  all.insert(all.end(), listing.test.begin(), listing.test.end());
  return all;
}

}  // namespace

std::optional<nlohmann::ordered_json> run_evaluation(const EvaluationRequest& request, const CacheProgress& on_cache,
                                                     const ProgressFn& on_progress, const std::shared_ptr<Log>& log) {
  auto [config, weights] = find_subject(request);
  config.model = with_defaults(config.model);
  std::string split = request.split.value_or("val");
  if (request.data) {
    const auto given = std::filesystem::absolute(*request.data).lexically_normal().string();
    if (!request.split && config.data.root != given) {
      split = "all";
      const bool asked = std::ranges::any_of(
          request.sets, [](const std::string& set) { return set.starts_with("data.images_per_class="); });
      if (!asked) {
        config.data.images_per_class.reset();
      }
      log->info("other images than the run's: all of them are evaluated; choose with --split");
    }
    config.data.root = given;
  }
  config = resolve_runtime(config, Use::inference);
  apply_runtime(config);
  const Listing listing = list_configured_images(config.data);
  check_classes(weights, listing);
  config.model.num_classes = resolve_num_classes(config.model, listing);
  const auto files = files_of(listing, split);
  if (files.empty()) {
    throw DataError(*config.data.root + ": has no " + split + " images; choose with --split val|test|train|all");
  }
  const SplitData data = open_split(config, listing, files, split, Transform::Mode::eval, *log, on_cache);
  if (stop_requested()) {
    return std::nullopt;
  }
  auto network = build_network(config);
  load_weights(*network, weights);
  const InputStage input(config.data, network->parameters().front().device());
  const Evaluation evaluation =
      evaluate(*network, *data.loader, input, config.precision == Precision::bf16, on_progress, /*stoppable=*/true);
  if (stop_requested()) {
    return std::nullopt;
  }
  if (evaluation.metrics.samples == 0) {
    throw DataError(*config.data.root + ": none of the " + split + " images could be decoded");
  }

  auto per_class = nlohmann::ordered_json::array();
  for (std::size_t label = 0; label < listing.classes.size(); ++label) {
    const auto& one = evaluation.per_class[label];
    per_class.push_back({{"name", printable(listing.class_titles[label])},
                         {"samples", one.samples},
                         {"top1", one.samples > 0 ? nlohmann::ordered_json(one.top1) : nlohmann::ordered_json()}});
  }
  for (const auto& name : data.dataset->bad_images()) {
    log->warn("left out, cannot be decoded: " + name);
  }
  return {{{"split", split},
           {"samples", evaluation.metrics.samples},
           {"loss", evaluation.metrics.loss},
           {"top1", evaluation.metrics.top1},
           {"top5", evaluation.metrics.top5},
           {"per_class", per_class},
           {"seconds", evaluation.seconds},
           {"weights", weights.string()},
           {"bad_images", data.dataset->bad_images().size()}}};
}

}  // namespace effnetv2
