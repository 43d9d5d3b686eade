#include "parallel_slices.h"

#include <algorithm>

#include <ATen/Parallel.h>

namespace effnetv2 {

void parallel_slices(const std::vector<std::int64_t>& sizes,
                     const std::function<void(std::size_t, std::int64_t, std::int64_t)>& work) {
  constexpr std::int64_t kGrain = 1 << 15;
  std::vector<std::int64_t> starts{0};
  for (const std::int64_t size : sizes) {
    starts.push_back(starts.back() + size);
  }
  at::parallel_for(0, starts.back(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    const auto after = std::upper_bound(starts.begin(), starts.end(), begin);
    for (auto i = static_cast<std::size_t>(after - starts.begin()) - 1; i < sizes.size() && starts[i] < end; ++i) {
      const std::int64_t from = std::max(begin, starts[i]), to = std::min(end, starts[i + 1]);
      if (from < to) {
        work(i, from - starts[i], to - starts[i]);
      }
    }
  });
}

}  // namespace effnetv2
