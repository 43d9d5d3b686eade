#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "effnetv2/data/image.h"

namespace effnetv2 {

/// In how many eighths of its width x height a JPEG is wanted, 1 to 8.
using Reduction = std::function<int(std::int64_t width, std::int64_t height)>;

/// An ordinary JPEG (sequential, 8 bits, grey or YCbCr in one scan, not a byte of it out of place) at so many eighths
/// of its size, rounded up, by inverse cosine transforms of that many points: frequencies that the smaller picture
/// cannot hold are passed over. Each pixel is about the mean of those it stands for; subsampled colour is transformed
/// to the same size, not repeated. nullopt for any other file, damaged ones among them. The same bits on every
/// processor.
std::optional<Image> decode_jpeg(std::string_view bytes, const Reduction& reduction);

}  // namespace effnetv2
