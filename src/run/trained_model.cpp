#include "effnetv2/run/trained_model.h"

#include <map>

#include "effnetv2/config/config.h"
#include "effnetv2/core/error.h"
#include "effnetv2/data/class_names.h"
#include "effnetv2/model/architecture.h"
#include "effnetv2/run/network.h"
#include "effnetv2/run/run_directory.h"
#include "effnetv2/run/runtime.h"

namespace effnetv2 {
namespace {

void name_classes(TrainedModel& model, Log& log) {
  model.trained_on = stored_classes(model.weights);
  model.class_ids = model.trained_on;
  std::map<std::string, std::string> titles;
  if (model.config.data.class_names) {
    const auto names = read_class_names(*model.config.data.class_names);
    const auto outputs = *model.config.model.num_classes;
    const bool one_each = static_cast<std::int64_t>(names.size()) == outputs;
    if (model.trained_on.empty() && !one_each) {
      log.warn("data.class_names: " + *model.config.data.class_names + " has " + std::to_string(names.size()) +
               " lines, the network " + std::to_string(outputs) +
               " outputs; without a line for each, in their order, they have no names");
    }
    for (const auto& [id, title] : names) {
      titles[id] = title;
      if (model.trained_on.empty() && one_each) {
        model.class_ids.push_back(id);
      }
    }
  }
  for (const auto& id : model.class_ids) {
    const auto found = titles.find(id);
    model.class_titles.push_back(found == titles.end() ? id : found->second);
  }
}

}  // namespace

TrainedModel open_trained_model(const TrainedModelRequest& request, Log& log) {
  TrainedModel model;
  if (request.run_dir) {
    model.config = RunDirectory::stored_config(*request.run_dir, request.sets);
    model.weights_path = RunDirectory::weights(*request.run_dir, request.checkpoint);
  } else {
    model.config = load_config(*request.config, request.sets);
    model.weights_path = std::filesystem::is_directory(*request.weights)
                             ? RunDirectory::weights(*request.weights, request.checkpoint)
                             : *request.weights;
  }
  model.config.model = with_defaults(model.config.model);
  model.config = resolve_runtime(model.config, Use::inference);
  apply_runtime(model.config);
  model.weights = read_weights_file(model.weights_path);
  log.debug("weights: " + describe_source(model.weights_path, model.weights));
  if (!model.config.model.num_classes) {
    // without a classifier the strict loading says what is missing
    model.config.model.num_classes = stored_num_classes(model.weights).value_or(1);
  }
  name_classes(model, log);
  return model;
}

std::shared_ptr<EfficientNetImpl> inference_network(const TrainedModel& model) {
  auto network = build_network(model.config);
  load_weights(*network, model.weights, model.weights_path);
  prepare_for_inference(*network);
  return network;
}

}  // namespace effnetv2
