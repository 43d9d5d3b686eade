#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include <ATen/Parallel.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "effnetv2/core/hash.h"
#include "effnetv2/core/rng.h"
#include "effnetv2/model/efficientnet.h"

#include "conv2d.h"

namespace effnetv2 {
namespace {

enum class Law { normal, uniform };

/// A weight to draw: normal of standard deviation `scale`, or uniform in [-scale, scale).
struct Draw {
  at::Tensor target;
  at::Tensor values;  ///< contiguous float32 on the CPU
  std::uint64_t name = 0;
  Law law = Law::normal;
  double scale = 1.0;
};

// Each chunk of a weight has its own stream, so that threads share the work evenly and nothing depends on their number.
constexpr std::int64_t kChunk = 1 << 14;

void fill_normal(Rng& rng, double deviation, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += 2) {
    const double radius = deviation * std::sqrt(-2.0 * std::log(1.0 - rng.uniform()));
    const double angle = 2.0 * std::numbers::pi * rng.uniform();
    out[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < count) {
      out[i + 1] = static_cast<float>(radius * std::sin(angle));
    }
  }
}

void fill_uniform(Rng& rng, double range, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    out[i] = static_cast<float>(rng.uniform(-range, range));
  }
}

void fill_chunk(const Draw& draw, std::uint64_t seed, std::int64_t chunk) {
  const std::int64_t begin = chunk * kChunk;
  const std::int64_t count = std::min(kChunk, draw.values.numel() - begin);
  float* out = draw.values.data_ptr<float>() + begin;
  Rng rng = Rng::stream(seed, Purpose::init, draw.name, static_cast<std::uint64_t>(chunk));
  if (draw.law == Law::normal) {
    fill_normal(rng, draw.scale, out, count);
  } else {
    fill_uniform(rng, draw.scale, out, count);
  }
}

double conv_deviation(const ConvSpec& conv, Init init) {
  const std::int64_t groups = init == Init::per_group ? conv.groups : 1;
  const std::int64_t fan_out = conv.out_channels / groups * conv.kernel * conv.kernel;
  return std::sqrt(2.0 / static_cast<double>(fan_out));
}

}  // namespace

void initialize(EfficientNetImpl& network, Init init, std::uint64_t seed) {
  const torch::NoGradGuard no_grad;
  std::vector<Draw> draws;
  const auto add = [&](const at::Tensor& target, const std::string& name, Law law, double scale) {
    draws.push_back({target, torch::empty(target.sizes()), Fingerprint().add(name).value(), law, scale});
  };
  for (const auto& item : network.named_modules(/*name_prefix=*/"", /*include_self=*/false)) {
    for (const auto& parameter : item.value()->named_parameters(/*recurse=*/false)) {
      if (parameter.key() == "bias") {
        parameter.value().zero_();
      } else if (parameter.value().dim() == 1) {
        parameter.value().fill_(1.0);  // BatchNorm
      }
    }
    if (const auto* conv = item.value()->as<Conv2dImpl>()) {
      add(conv->weight(), item.key() + ".weight", Law::normal, conv_deviation(conv->spec(), init));
    }
  }
  const at::Tensor linear = network.named_parameters()["classifier.1.weight"];
  const std::int64_t fan = init == Init::per_group ? linear.size(1) : linear.size(0);
  add(linear, "classifier.1.weight", Law::uniform, 1.0 / std::sqrt(static_cast<double>(fan)));

  std::vector<std::pair<const Draw*, std::int64_t>> chunks;
  for (const Draw& draw : draws) {
    for (std::int64_t chunk = 0; chunk * kChunk < draw.values.numel(); ++chunk) {
      chunks.emplace_back(&draw, chunk);
    }
  }
  at::parallel_for(0, static_cast<std::int64_t>(chunks.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto [draw, chunk] = chunks[static_cast<std::size_t>(i)];
      fill_chunk(*draw, seed, chunk);
    }
  });
  for (Draw& draw : draws) {
    draw.target.copy_(draw.values);
  }
}

}  // namespace effnetv2
