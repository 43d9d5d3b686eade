#pragma once

#include <ATen/core/Tensor.h>

namespace effnetv2 {

/// x itself if its channels lie innermost, else a copy in which they do.
inline at::Tensor channels_last(const at::Tensor& x) {
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace effnetv2
