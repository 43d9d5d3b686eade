#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "effnetv2/model/noise.h"

// Weights, pictures and masks that scripts/make_golden.py computes to the same bits.
namespace effnetv2::test {

/// FNV-1a, 64 bits.
inline std::uint64_t name_hash(std::string_view name) {
  std::uint64_t state = 0xCBF29CE484222325ull;
  for (const char c : name) {
    state = (state ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  }
  return state;
}

/// The top 24 bits of SplitMix64 started at the name's hash.
inline std::vector<std::int64_t> bits24(std::string_view name, std::int64_t count) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(count));
  std::uint64_t state = name_hash(name);
  for (auto& value : values) {
    std::uint64_t z = state += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    value = static_cast<std::int64_t>((z ^ (z >> 31)) >> 40);
  }
  return values;
}

/// float32 in [-1, 1), exact.
inline at::Tensor formula_uniform(std::string_view name, at::IntArrayRef shape) {
  at::Tensor result = torch::empty(shape);
  float* out = result.data_ptr<float>();
  for (const std::int64_t bits : bits24(name, result.numel())) {
    *out++ = static_cast<float>(bits - (1 << 23)) * 0x1p-23f;
  }
  return result;
}

inline at::Tensor formula_weight(const std::string& name, at::IntArrayRef shape) {
  const at::Tensor values = formula_uniform(name, shape);
  if (shape.size() == 1) {
    return values * 0.25 + (name.ends_with("weight") ? 1.0 : 0.0);
  }
  const double inputs = static_cast<double>(values[0].numel());
  return values * static_cast<float>(std::sqrt((shape.size() == 4 ? 6.0 : 3.0) / inputs));
}

/// float32 [n, 3, height, width]: noise, 8x8 patches and a tone per picture and channel.
inline at::Tensor formula_pictures(const std::string& name, std::int64_t n, std::int64_t height, std::int64_t width) {
  const std::int64_t rows = (height + 7) / 8, columns = (width + 7) / 8;
  const at::Tensor noise = formula_uniform(name, {n, 3, height, width});
  const at::Tensor tone = formula_uniform(name + "/tone", {n, 3, 1, 1});
  at::Tensor patch = formula_uniform(name + "/patch", {n, 3, rows, columns});
  patch = patch.repeat_interleave(8, 2).repeat_interleave(8, 3).slice(2, 0, height).slice(3, 0, width);
  return (noise * 0.25 + tone) + patch;
}

inline at::Tensor formula_labels(std::int64_t n, std::int64_t classes) {
  return (torch::arange(n, torch::kLong) * 3 + 1).remainder(classes);
}

/// Masks that depend on names alone.
class FormulaNoise final : public Noise {
 public:
  at::Tensor keep_rows(std::int64_t block, std::int64_t n, double rate, at::Device device) override {
    return mask("rows/" + std::to_string(block), n, rate).to(device);
  }
  at::Tensor keep_units(std::int64_t n, std::int64_t channels, double rate, at::Device device) override {
    return mask("units", n * channels, rate).view({n, channels}).to(device);
  }

 private:
  static at::Tensor mask(const std::string& name, std::int64_t count, double rate) {
    at::Tensor result = torch::empty({count});
    float* out = result.data_ptr<float>();
    for (const std::int64_t bits : bits24(name, count)) {
      *out++ = static_cast<double>(bits) * 0x1p-24 >= rate ? 1.0f : 0.0f;
    }
    return result;
  }
};

inline void fill_with_formula(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (auto& parameter : module.named_parameters()) {
    parameter.value().copy_(formula_weight(parameter.key(), parameter.value().sizes()));
  }
}

}  // namespace effnetv2::test
