#include "effnetv2/weights/recognise.h"

#include <array>
#include <string>
#include <unordered_map>

#include <ATen/core/Tensor.h>

#include "effnetv2/model/architecture.h"

namespace effnetv2 {
namespace {

using ByName = std::unordered_map<std::string, at::Tensor>;

/// Whether `name` is there with so many outputs.
bool has_outputs(const ByName& tensors, const std::string& name, std::int64_t outputs) {
  const auto found = tensors.find(name);
  return found != tensors.end() && found->second.dim() > 0 && found->second.size(0) == outputs;
}

bool fits(const ByName& tensors, const Architecture& network) {
  const auto block = [](std::size_t stage, std::size_t layer) {
    return "features." + std::to_string(stage + 1) + "." + std::to_string(layer) + ".block.0.0.weight";
  };
  for (std::size_t stage = 0; stage < network.stages.size(); ++stage) {
    const std::size_t layers = network.stages[stage].size();
    if (!tensors.contains(block(stage, layers - 1)) || tensors.contains(block(stage, layers))) {
      return false;
    }
  }
  const std::string head = "features." + std::to_string(network.stages.size() + 1);
  return has_outputs(tensors, "features.0.0.weight", network.stem_channels) &&
         has_outputs(tensors, head + ".0.weight", network.head_channels);
}

}  // namespace

std::optional<Arch> recognise(const NamedTensors& tensors) {
  const ByName by_name(tensors.begin(), tensors.end());
  for (const Arch arch :
       {Arch::efficientnet_v2_s, Arch::efficientnet_v2_m, Arch::efficientnet_v2_l, Arch::efficientnet_b0}) {
    ModelConfig model;
    model.arch = arch;
    if (fits(by_name, architecture(model, 1))) {
      return arch;
    }
  }
  return std::nullopt;
}

}  // namespace effnetv2
