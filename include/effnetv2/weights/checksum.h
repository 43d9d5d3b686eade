#pragma once

#include <string>
#include <string_view>

#include "effnetv2/weights/safetensors.h"

namespace effnetv2 {

/// 16 hex digits over names, bytes (as stored contiguous) and `text`, whatever the order of the tensors: against
/// damage, not against an adversary. Tensors are read in parallel.
std::string checksum(const NamedTensors& tensors, std::string_view text);

}  // namespace effnetv2
