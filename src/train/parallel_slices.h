#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace effnetv2 {

/// Deals the elements of many tensors evenly to the threads: work(i, begin, end) for stretches [begin, end) of tensor
/// i, which together cover 0 ... sizes[i] exactly once. Where they are cut depends on the number of threads.
void parallel_slices(const std::vector<std::int64_t>& sizes,
                     const std::function<void(std::size_t, std::int64_t, std::int64_t)>& work);

}  // namespace effnetv2
