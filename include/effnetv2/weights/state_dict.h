#pragma once

#include <string>

#include <torch/nn/module.h>

#include "effnetv2/weights/safetensors.h"

namespace effnetv2 {

/// Parameters and buffers by torchvision's names, in torchvision's state_dict order (module by module: parameters, then
/// buffers). Aliases, not copies.
NamedTensors state_dict(const torch::nn::Module& module);

/// Copies `source` into the module: same names, shapes and kinds of number, or one CheckpointError from `where` that
/// lists every missing, unexpected and mis-shaped name, nothing copied. Strides and devices of the module stay.
void load_state_dict(torch::nn::Module& module, const NamedTensors& source, const std::string& where);

}  // namespace effnetv2
