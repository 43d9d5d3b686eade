#pragma once

#include <string>

#include <torch/nn/module.h>

#include "effnetv2/weights/safetensors.h"

namespace effnetv2 {

/// Parameters and buffers by torchvision's names, in torchvision's state_dict order (module by module: parameters, then
/// buffers). Aliases, not copies.
NamedTensors state_dict(const torch::nn::Module& module);

/// Copies each tensor of `source` into the one of the same name in `target`, or throws one CheckpointError that begins
/// with `where` and lists every missing, unexpected, repeated and mis-shaped name (ten of each kind, and how many
/// more), nothing copied. Floating types convert into each other, so do integers; a float does not become an integer,
/// nor the reverse. Strides and devices of `target` stay.
void copy_tensors(const NamedTensors& target, const NamedTensors& source, const std::string& where);

/// Copies `source` into the module: same names, shapes and kinds of number, or one CheckpointError from `where` that
/// lists every difference as copy_tensors does, nothing copied. Strides and devices of the module stay.
void load_state_dict(torch::nn::Module& module, const NamedTensors& source, const std::string& where);

}  // namespace effnetv2
