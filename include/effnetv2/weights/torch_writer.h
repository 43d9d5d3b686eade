#pragma once

#include <filesystem>

#include "effnetv2/weights/safetensors.h"

namespace effnetv2 {

/// Writes an OrderedDict that torch.load(..., weights_only=True) gives back, whole or not at all. Tensors are stored
/// contiguous. Equal tensors and metadata give equal files. Throws CheckpointError for a dtype that has no storage
/// type.
void write_torch_file(const std::filesystem::path& path, const NamedTensors& tensors, const Metadata& metadata = {});

}  // namespace effnetv2
