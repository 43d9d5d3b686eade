#include "effnetv2/run/network.h"

#include <charconv>
#include <filesystem>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "effnetv2/config/names.h"
#include "effnetv2/config/strict_json.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/text.h"
#include "effnetv2/run/run_directory.h"
#include "effnetv2/weights/recognise.h"
#include "effnetv2/weights/state_dict.h"

namespace effnetv2 {
namespace {

constexpr const char* kClasses = "classes";
constexpr const char* kEpoch = "epoch";
constexpr const char* kClassifier = "classifier.";

/// Whose weights `tensors` are, if they are of another architecture than the network's; "" else.
std::string other_architecture(const EfficientNetImpl& network, const NamedTensors& tensors,
                               const std::filesystem::path& path) {
  const auto theirs = recognise(tensors);
  if (!theirs || theirs == recognise(state_dict(network))) {
    return "";
  }
  const std::string name(name_of(*theirs));
  return path.string() + ": these are weights of " + name + "; set model.arch to it, without changes of its table\n";
}

}  // namespace

std::shared_ptr<EfficientNetImpl> build_network(const ExperimentConfig& config) {
  auto network = std::make_shared<EfficientNetImpl>(architecture(config.model, *config.model.num_classes));
  initialize(*network, config.model.init, config.seed);
  network->to(at::Device(config.device));
  const at::NoGradGuard no_grad;
  for (auto& parameter : network->parameters()) {
    if (parameter.dim() == 4) {
      parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast));
    }
  }
  return network;
}

std::filesystem::path initial_weights(const std::string& path) {
  try {
    if (std::filesystem::is_directory(path)) {
      return RunDirectory::weights(path);
    }
    if (!std::filesystem::exists(path)) {
      throw CheckpointError(path + ": there is no such file; scripts/get_weights.sh fetches published ones");
    }
  } catch (const CheckpointError& e) {
    throw CheckpointError(std::string("model.weights: ") + e.what());
  }
  return path;
}

std::string load_initial_weights(EfficientNetImpl& network, const ExperimentConfig& config,
                                 const std::vector<std::string>& classes) {
  if (!config.model.weights) {
    return "";
  }
  const auto path = initial_weights(*config.model.weights);
  WeightsFile file = read_weights_file(path);
  const auto had = stored_num_classes(file);
  const auto wanted = network.architecture().num_classes;
  std::string classifier;
  if (had && had != wanted) {
    const auto is_classifier = [](const auto& entry) { return entry.first.starts_with(kClassifier); };
    std::erase_if(file.tensors, is_classifier);
    for (const auto& entry : state_dict(network)) {
      if (is_classifier(entry)) {
        file.tensors.push_back(entry);
      }
    }
    classifier = "; made for " + std::to_string(*had) + " classes, the classifier for " + std::to_string(wanted) +
                 " starts anew";
  } else if (const auto names = stored_classes(file); !names.empty() && names != printable(classes)) {
    classifier = "; the classifier of as many other classes is kept, set model.num_classes higher to start it anew";
  }
  load_weights(network, file, path);
  return "starting from the weights of " + describe_source(path, file) + classifier;
}

void load_weights(EfficientNetImpl& network, const WeightsFile& file, const std::filesystem::path& path) {
  try {
    load_state_dict(network, file.tensors, path.string());
  } catch (const CheckpointError& e) {
    throw CheckpointError(other_architecture(network, file.tensors, path) + e.what());
  }
}

void load_weights(EfficientNetImpl& network, const std::filesystem::path& path) {
  load_weights(network, read_weights_file(path), path);
}

void prepare_for_inference(EfficientNetImpl& network) {
  network.eval();
  network.hold_weights();
}

void save_weights(const std::filesystem::path& path, const EfficientNetImpl& network,
                  const std::vector<std::string>& classes, std::int64_t epoch) {
  write_weights_file(
      path, state_dict(network),
      {{kClasses, nlohmann::json(printable(classes)).dump()}, {kEpoch, std::to_string(epoch)}, {"format", "pt"}});
}

std::optional<std::int64_t> stored_epoch(const std::filesystem::path& path) {
  std::string text;
  try {
    const SafetensorsFile file(path);
    if (const auto found = file.metadata().find(kEpoch); found != file.metadata().end()) {
      text = found->second;
    }
  } catch (const CheckpointError&) {
    return std::nullopt;  // whoever needs the weights says what is wrong with them
  }
  std::int64_t epoch = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), epoch);
  return error == std::errc() && end == text.data() + text.size() ? std::make_optional(epoch) : std::nullopt;
}

std::vector<std::string> stored_classes(const WeightsFile& file) {
  const auto found = file.metadata.find(kClasses);
  if (found == file.metadata.end()) {
    return {};
  }
  const auto document = parse_any_json<nlohmann::json>(found->second);
  if (!document.is_array()) {
    return {};
  }
  std::vector<std::string> classes;
  for (const auto& name : document) {
    if (!name.is_string()) {
      return {};
    }
    classes.push_back(name.get<std::string>());
  }
  return classes;
}

std::optional<std::int64_t> stored_num_classes(const WeightsFile& file) {
  for (const auto& [name, tensor] : file.tensors) {
    if (name == "classifier.1.weight" && tensor.dim() == 2) {
      return tensor.size(0);
    }
  }
  return std::nullopt;
}

}  // namespace effnetv2
