#include "effnetv2/ops/fused_optimizer.h"

#include <cstring>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "stream.h"
#include "update_kernel.h"

namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {
namespace {

static_assert(static_cast<int>(UpdateKind::adam) == static_cast<int>(Rule::adam) &&
              static_cast<int>(UpdateKind::rmsprop_momentum) == static_cast<int>(Rule::rmsprop_momentum));

UpdateConstants constants_of(const UpdateRule& rule) {
  return {static_cast<float>(rule.beta1),
          static_cast<float>(1.0 - rule.beta1),
          static_cast<float>(rule.beta2),
          static_cast<float>(1.0 - rule.beta2),
          static_cast<float>(rule.eps),
          static_cast<float>(rule.momentum),
          rule.nesterov};
}

float* pointer(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.data_ptr<float>() : nullptr;
}

std::vector<UpdateEntry> entries_of(std::span<const FusedTensor> tensors) {
  std::vector<UpdateEntry> entries;
  entries.reserve(tensors.size());
  for (const FusedTensor& t : tensors) {
    entries.push_back(
        {pointer(t.value), pointer(t.grad), pointer(t.first), pointer(t.second), pointer(t.average), t.value.numel()});
  }
  return entries;
}

std::vector<UpdateBlock> blocks_of(const std::vector<UpdateEntry>& entries) {
  std::vector<UpdateBlock> blocks;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const UpdateEntry& e = entries[i];
    const bool idle = e.grad == nullptr && e.average == nullptr;
    for (std::int64_t chunk = 0; !idle && chunk * kUpdateChunk < e.size; ++chunk) {
      blocks.push_back({static_cast<std::int32_t>(i), static_cast<std::int32_t>(chunk)});
    }
  }
  return blocks;
}

bool same(const std::vector<UpdateEntry>& a, const std::vector<UpdateEntry>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(UpdateEntry)) == 0;
}

template <typename T>
std::size_t bytes_of(const std::vector<T>& values) {
  return values.size() * sizeof(T);
}

/// A table as it lies in both memories. A captured copy reads the host's at each replay.
struct Places {
  at::Tensor host, card;
};
struct Upload {
  std::vector<UpdateEntry> entries;
  Places places;
  int block_count = 0;
};

class CudaOptimizer final : public FusedOptimizer {
 public:
  CudaOptimizer(UpdateKind kind, const UpdateRule& rule, std::size_t parameters, at::Device device)
      : kind_(kind), constants_(constants_of(rule)), parameters_(parameters), device_(device) {
    const auto options = at::TensorOptions().dtype(at::kFloat).device(device);
    numbers_ = at::zeros({static_cast<std::int64_t>(4 * (parameters + 1))}, options);
    scale_ = at::ones({}, options);
  }

  void prepare(std::span<const UpdateRule> rules, double average_weight) override {
    TORCH_CHECK(rules.size() == parameters_, "an update of ", rules.size(), " parameters instead of ", parameters_);
    const at::Tensor numbers = host_bytes(numbers_.nbytes()).view(at::kFloat);
    auto* to = numbers.data_ptr<float>();
    *to = static_cast<float>(average_weight);
    for (const UpdateRule& rule : rules) {
      to += 4;
      to[0] = static_cast<float>(rule.step_size);
      to[1] = static_cast<float>(rule.shrink);
      to[2] = static_cast<float>(rule.l2);
      to[3] = static_cast<float>(rule.correction);
    }
    const DeviceGuard guard(numbers_);
    numbers_.copy_(numbers, /*non_blocking=*/true);
  }

  void launch(std::span<const FusedTensor> tensors, std::optional<double> max_norm) override {
    TORCH_CHECK(tensors.size() >= parameters_, "an update of ", tensors.size(), " tensors, ", parameters_,
                " of them parameters");
    const DeviceGuard guard(numbers_);
    const cudaStream_t stream = current_stream(numbers_);
    const Upload& upload = table_of(tensors);
    if (upload.block_count == 0) {
      return;
    }
    const auto* base = upload.places.card.data_ptr<std::uint8_t>();
    const auto* numbers = numbers_.data_ptr<float>();
    UpdateTable table{reinterpret_cast<const UpdateEntry*>(base),
                      reinterpret_cast<const UpdateNumbers*>(numbers + 4),
                      reinterpret_cast<const UpdateBlock*>(base + bytes_of(upload.entries)),
                      upload.block_count,
                      numbers,
                      nullptr};
    if (max_norm) {
      const at::Tensor partial = at::empty({upload.block_count}, scale_.options().dtype(at::kDouble));
      check_launch(launch_grad_scale(table, *max_norm, partial.data_ptr<double>(), scale_.data_ptr<float>(), stream));
      table.grad_scale = scale_.data_ptr<float>();
    }
    check_launch(launch_update(static_cast<Rule>(kind_), constants_, table, stream));
  }

  void forget_captured() override { captured_.clear(); }

 private:
  at::Tensor host_bytes(std::size_t bytes) const {
    const auto options = at::TensorOptions().dtype(at::kByte);
    return at::empty({static_cast<std::int64_t>(bytes)}, options.pinned_memory(device_.is_cuda()));
  }

  Places places_for(std::size_t bytes) const {
    const at::Tensor host = host_bytes(bytes);
    return {host, at::empty_like(host, at::TensorOptions().device(device_).pinned_memory(false))};
  }

  static std::size_t size_of(const Places& places) { return places.host.defined() ? places.host.nbytes() : 0; }

  /// Sends a table to `places`, which have its size.
  static Upload upload(std::vector<UpdateEntry> entries, const std::vector<UpdateBlock>& blocks, Places places) {
    auto* to = places.host.data_ptr<std::uint8_t>();
    std::memcpy(to, entries.data(), bytes_of(entries));
    if (!blocks.empty()) {
      std::memcpy(to + bytes_of(entries), blocks.data(), bytes_of(blocks));
    }
    places.card.copy_(places.host, /*non_blocking=*/true);
    return {std::move(entries), std::move(places), static_cast<int>(blocks.size())};
  }

  /// The table of these tensors on the card, sent anew only where an address has changed.
  const Upload& table_of(std::span<const FusedTensor> all) {
    auto entries = entries_of(all);
    if (is_capturing()) {
      const auto blocks = blocks_of(entries);
      TORCH_CHECK(size_of(spare_) == bytes_of(entries) + bytes_of(blocks),
                  "a step is captured once, after one of the same tensors that was not");
      captured_.push_back(upload(std::move(entries), blocks, std::exchange(spare_, {})));
      return captured_.back();
    }
    if (!same(entries, latest_.entries)) {
      const auto blocks = blocks_of(entries);
      Places places = places_for(bytes_of(entries) + bytes_of(blocks));
      latest_ = upload(std::move(entries), blocks, std::move(places));
    }
    if (size_of(spare_) != size_of(latest_.places)) {
      spare_ = places_for(size_of(latest_.places));
    }
    return latest_;
  }

  UpdateKind kind_;
  UpdateConstants constants_;
  std::size_t parameters_;
  at::Device device_;
  at::Tensor numbers_;  ///< float32 on the card: the weight of averages, three of no use, and four by parameter
  at::Tensor scale_;    ///< float32 scalar
  Upload latest_;
  Places spare_;  ///< for the next captured table: LibTorch before 2.11 has no pinned memory to give during a capture
  std::vector<Upload> captured_;
};

}  // namespace

std::unique_ptr<FusedOptimizer> fused_optimizer(UpdateKind kind, const UpdateRule& rule, std::size_t parameters,
                                                at::Device device) {
  return std::make_unique<CudaOptimizer>(kind, rule, parameters, device);
}

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
