#include "effnetv2/model/summary.h"

#include <initializer_list>

#include "effnetv2/core/error.h"

namespace effnetv2 {
namespace {

/// Adds the product of `factors` to `sum`; the keys' own bounds allow networks beyond 64 bits.
void add(std::int64_t& sum, std::initializer_list<std::int64_t> factors) {
  std::int64_t product = 1;
  bool overflow = false;
  for (const std::int64_t factor : factors) {
    overflow |= __builtin_mul_overflow(product, factor, &product);
  }
  overflow |= __builtin_add_overflow(sum, product, &sum);
  if (overflow) {
    throw ConfigError(
        "model: the network is too large: its parameters, multiply-accumulates or activations do not fit into 64 "
        "bits; use fewer or narrower stages, smaller kernels or a smaller data.image_size");
  }
}

/// The map that flows through the network, and what it has cost so far.
struct Walk {
  std::int64_t channels = 3, height = 0, width = 0;
  std::int64_t parameters = 0, macs = 0, activations = 0;

  void keep_maps(std::int64_t count) { add(activations, {count, channels, height, width}); }

  /// Kept for backward: the convolution's output (for BatchNorm), BatchNorm's (for SiLU) and the result, which the
  /// next layer's weights need.
  void conv_bn(std::int64_t out, std::int64_t kernel, std::int64_t stride, std::int64_t groups, bool silu) {
    height = (height + stride - 1) / stride;
    width = (width + stride - 1) / stride;
    const std::int64_t weights = channels / groups * out * kernel * kernel;
    channels = out;
    add(parameters, {weights + 2 * out});
    add(macs, {weights, height, width});
    keep_maps(silu ? 3 : 2);
  }

  void squeeze_excite(std::int64_t squeezed) {
    const std::int64_t weights = 2 * channels * squeezed;
    add(parameters, {weights + channels + squeezed});
    add(macs, {weights});
    keep_maps(1);
    add(activations, {2, channels + squeezed});
  }

  void block(const BlockSpec& spec) {
    const bool expands = spec.expanded_channels != spec.in_channels;
    if (spec.kind == BlockKind::fused_mbconv) {
      conv_bn(expands ? spec.expanded_channels : spec.out_channels, spec.kernel, spec.stride, 1, true);
      if (expands) {
        conv_bn(spec.out_channels, 1, 1, 1, false);
      }
      return;
    }
    if (expands) {
      conv_bn(spec.expanded_channels, 1, 1, 1, true);
    }
    conv_bn(spec.expanded_channels, spec.kernel, spec.stride, spec.expanded_channels, true);
    squeeze_excite(spec.squeeze_channels);
    conv_bn(spec.out_channels, 1, 1, 1, false);
  }

  void classifier(std::int64_t classes) {
    add(activations, {2, channels});  // the pooled features and their dropout mask
    add(parameters, {channels + 1, classes});
    add(macs, {channels, classes});
    add(activations, {classes});
    channels = classes;
    height = width = 1;
  }
};

std::string conv_name(std::int64_t kernel) {
  return std::to_string(kernel) + "x" + std::to_string(kernel);
}

std::string stage_operation(const BlockSpec& first) {
  return std::string(first.kind == BlockKind::mbconv ? "MBConv" : "Fused-MBConv") + " x" +
         std::to_string(first.expanded_channels / first.in_channels) + " " + conv_name(first.kernel);
}

}  // namespace

Summary summarize(const Architecture& architecture, std::int64_t height, std::int64_t width) {
  Summary summary;
  summary.blocks = architecture.blocks();
  summary.height = height;
  summary.width = width;
  summary.num_classes = architecture.num_classes;

  Walk walk;
  walk.height = height;
  walk.width = width;
  walk.keep_maps(1);
  Walk before = walk;
  const auto end_row = [&](const std::string& name, const std::string& operation, std::int64_t layers,
                           std::int64_t stride) {
    summary.rows.push_back({name, operation, layers, stride, walk.channels, walk.height, walk.width,
                            walk.parameters - before.parameters, walk.macs - before.macs});
    before = walk;
  };

  walk.conv_bn(architecture.stem_channels, 3, architecture.stem_stride, 1, true);
  end_row("stem", "conv 3x3", 1, architecture.stem_stride);
  for (std::size_t i = 0; i < architecture.stages.size(); ++i) {
    const auto& blocks = architecture.stages[i];
    for (const BlockSpec& block : blocks) {
      walk.block(block);
    }
    end_row("stage " + std::to_string(i + 1), stage_operation(blocks.front()), static_cast<std::int64_t>(blocks.size()),
            blocks.front().stride);
  }
  walk.conv_bn(architecture.head_channels, 1, 1, 1, true);
  end_row("head", "conv 1x1", 1, 1);
  walk.classifier(architecture.num_classes);
  end_row("classifier", "pool, linear", 1, 1);

  summary.parameters = walk.parameters;
  summary.macs = walk.macs;
  summary.activations = walk.activations;
  return summary;
}

bool ends_in_one_pixel(const Architecture& architecture, std::int64_t image_size) {
  const auto rows = summarize(architecture, image_size, image_size).rows;
  return rows[rows.size() - 2].height == 1;  // the head, before the classifier
}

double estimate_training_bytes(const Summary& summary, std::int64_t batch_size, int optimizer_slots, bool ema,
                               int activation_bytes) {
  const int copies = 2 + optimizer_slots + (ema ? 1 : 0);  // weights and gradients, both float32
  return 4.0 * copies * static_cast<double>(summary.parameters) +
         static_cast<double>(summary.activations) * static_cast<double>(batch_size) * activation_bytes;
}

std::int64_t largest_batch_within(double memory, const Summary& summary, int optimizer_slots, bool ema,
                                  int activation_bytes) {
  const auto bytes = [&](std::int64_t batch) {
    return estimate_training_bytes(summary, batch, optimizer_slots, ema, activation_bytes);
  };
  const double room = 0.9 * memory - bytes(0);
  return room <= 0.0 ? 0 : static_cast<std::int64_t>(room / (bytes(1) - bytes(0)));
}

}  // namespace effnetv2
