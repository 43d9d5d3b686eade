#include "effnetv2/run/network.h"

#include <filesystem>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "effnetv2/config/names.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/text.h"
#include "effnetv2/weights/recognise.h"
#include "effnetv2/weights/state_dict.h"

namespace effnetv2 {
namespace {

constexpr const char* kClasses = "classes";
constexpr const char* kClassifier = "classifier.";

/// Whose weights `tensors` are, if they are of another architecture than the network's; "" else.
std::string other_architecture(const EfficientNetImpl& network, const NamedTensors& tensors) {
  const auto theirs = recognise(tensors);
  if (!theirs || theirs == recognise(state_dict(network))) {
    return "";
  }
  const std::string name(name_of(*theirs));
  return "\n  these are weights of " + name + ": set model.arch to \"" + name + "\", without changes of its table";
}

std::filesystem::path weights_path(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) {
    return path;
  }
  const auto best = path / "checkpoints" / "best.safetensors";
  if (!std::filesystem::exists(best)) {
    throw CheckpointError("model.weights: " + path.string() + " is a folder without checkpoints/best.safetensors");
  }
  return best;
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

void load_initial_weights(EfficientNetImpl& network, const ExperimentConfig& config, Log& log) {
  if (!config.model.weights) {
    return;
  }
  const auto path = weights_path(*config.model.weights);
  WeightsFile file = read_weights_file(path);
  if (!file.taken_from.empty()) {
    log.info("model.weights: " + path.string() + ": taking \"" + file.taken_from + "\" of the checkpoint");
  }
  const auto classes = stored_num_classes(file);
  if (classes && classes != network.architecture().num_classes) {
    const auto is_classifier = [](const auto& entry) { return entry.first.starts_with(kClassifier); };
    std::erase_if(file.tensors, is_classifier);
    for (const auto& entry : state_dict(network)) {
      if (is_classifier(entry)) {
        file.tensors.push_back(entry);
      }
    }
    log.info("model.weights: " + path.string() + " was made for " + std::to_string(*classes) +
             " classes; the classifier for " + std::to_string(network.architecture().num_classes) +
             " classes starts anew");
  }
  load_weights(network, file, path);
}

void load_weights(EfficientNetImpl& network, const WeightsFile& file, const std::filesystem::path& path) {
  try {
    load_state_dict(network, file.tensors, path.string());
  } catch (const CheckpointError& e) {
    throw CheckpointError(e.what() + other_architecture(network, file.tensors));
  }
}

void load_weights(EfficientNetImpl& network, const std::filesystem::path& path) {
  load_weights(network, read_weights_file(path), path);
}

void prepare_for_inference(EfficientNetImpl& network, Precision precision) {
  network.eval();
  network.fold_batch_norm(precision == Precision::bf16 ? at::kBFloat16 : at::kFloat);
}

void save_weights(const std::filesystem::path& path, const EfficientNetImpl& network,
                  const std::vector<std::string>& classes) {
  write_weights_file(path, state_dict(network),
                     {{kClasses, nlohmann::json(printable(classes)).dump()}, {"format", "pt"}});
}

std::vector<std::string> stored_classes(const WeightsFile& file) {
  const auto found = file.metadata.find(kClasses);
  if (found == file.metadata.end()) {
    return {};
  }
  const auto document = nlohmann::json::parse(found->second, nullptr, /*allow_exceptions=*/false);
  std::vector<std::string> classes;
  for (const auto& name : document.is_array() ? document : nlohmann::json::array()) {
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
