#include "effnetv2/run/network.h"

#include <filesystem>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "effnetv2/core/error.h"
#include "effnetv2/core/text.h"
#include "effnetv2/weights/state_dict.h"

namespace effnetv2 {
namespace {

NamedTensors read_weights(const std::filesystem::path& path) {
  const SafetensorsFile file(path);
  NamedTensors tensors;
  for (const auto& name : file.names()) {
    tensors.emplace_back(name, file.tensor(name));
  }
  return tensors;
}

bool is_classifier(const std::string& name) {
  return name.starts_with("classifier.");
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
  std::filesystem::path path = *config.model.weights;
  if (std::filesystem::is_directory(path)) {
    path = path / "checkpoints" / "best.safetensors";
  }
  NamedTensors tensors = read_weights(path);
  const NamedTensors own = state_dict(network);
  bool other_classes = false;
  for (const auto& [name, tensor] : tensors) {
    for (const auto& [own_name, own_tensor] : own) {
      other_classes |= name == own_name && is_classifier(name) && tensor.sizes() != own_tensor.sizes();
    }
  }
  if (other_classes) {
    std::erase_if(tensors, [](const auto& item) { return is_classifier(item.first); });
    for (const auto& item : own) {
      if (is_classifier(item.first)) {
        tensors.push_back(item);
      }
    }
    log.info("model.weights: " + path.string() + " was made for another number of classes; the classifier for " +
             std::to_string(network.architecture().num_classes) + " classes starts anew");
  }
  load_state_dict(network, tensors, path.string());
}

void save_weights(const std::filesystem::path& path, const EfficientNetImpl& network,
                  const std::vector<std::string>& classes) {
  write_safetensors(path, state_dict(network),
                    {{"classes", nlohmann::json(printable(classes)).dump()}, {"format", "pt"}});
}

void load_weights(EfficientNetImpl& network, const std::filesystem::path& path) {
  load_state_dict(network, read_weights(path), path.string());
}

}  // namespace effnetv2
