#include "effnetv2/weights/checksum.h"

#include <map>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "effnetv2/core/hash.h"

namespace effnetv2 {

std::string checksum(const NamedTensors& tensors, std::string_view text) {
  std::vector<std::uint64_t> sums(tensors.size());
  at::parallel_for(0, static_cast<std::int64_t>(tensors.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      const at::Tensor bytes = tensors[static_cast<std::size_t>(i)].second.detach().cpu().contiguous();
      sums[static_cast<std::size_t>(i)] = quick_checksum(bytes.data_ptr(), bytes.nbytes());
    }
  });
  std::map<std::string_view, std::uint64_t> by_name;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    by_name.emplace(tensors[i].first, sums[i]);
  }
  Fingerprint all;
  all.add(text);
  for (const auto& [name, sum] : by_name) {
    all.add(name).add(sum);
  }
  return all.hex();
}

}  // namespace effnetv2
