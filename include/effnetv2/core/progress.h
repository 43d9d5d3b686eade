#pragma once

#include <cstdint>
#include <functional>

namespace effnetv2 {

/// Told now and then how far a long piece of work is: items done of total. Called from one thread at a time.
using ProgressFn = std::function<void(std::int64_t done, std::int64_t total)>;

}  // namespace effnetv2
