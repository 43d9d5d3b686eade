#pragma once

#include <optional>

#include "effnetv2/config/model_config.h"
#include "effnetv2/weights/safetensors.h"

namespace effnetv2 {

/// The published architecture that has these tensors' blocks, stem and head (any number of classes), for messages.
std::optional<Arch> recognise(const NamedTensors& tensors);

}  // namespace effnetv2
