#include "effnetv2/ops/dense.h"

#include <algorithm>
#include <array>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "effnetv2/core/level_kernels.h"

#include "channels_last.h"
#include "conv_geometry.h"
#include "cpu/dense.h"
#include "record.h"

namespace effnetv2 {

using DenseTable = std::array<DenseKernels, 2>;  // float32, bfloat16
EFFNETV2_LEVEL_KERNELS(DenseTable, dense_kernels)

namespace {

bool is_half(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16;
}

const DenseKernels& dense_kernels(const at::Tensor& x, CpuLevel level) {
  return dense_kernels_at(level)[is_half(x) ? 1 : 0];
}

/// What the kernels of `level` multiply by `weight`: bfloat16 maps in float32 where nothing multiplies bfloat16.
at::Tensor factor(const at::Tensor& maps, const at::Tensor& weight, CpuLevel level) {
  return is_half(maps) && !multiplies_bf16(weight, level) ? maps.to(at::kFloat) : maps;
}

/// `weight` rounded as the maps were before factor() gave `source`; kernels for bfloat16 round it themselves.
at::Tensor rounded(const at::Tensor& weight, const at::Tensor& maps, const at::Tensor& source) {
  return is_half(maps) && !is_half(source) ? weight.to(at::kBFloat16) : weight;
}

/// Values that one multiplication takes at once.
std::int64_t unit(const at::Tensor& x) {
  return is_half(x) ? 2 : 1;
}

std::int64_t panels(std::int64_t channels, std::int64_t width) {
  return (channels + width - 1) / width;
}

/// The sizes of one convolution. A 1x1 filter at stride 1 sees no neighbours: its positions are as many images.
struct Shape {
  Shape(const at::Tensor& x, const at::Tensor& weight, std::int64_t stride_, std::int64_t padding_)
      : images(x.size(0)),
        height(x.size(2)),
        width(x.size(3)),
        channels(x.size(1)),
        outputs(weight.size(0)),
        kernel(weight.size(2)),
        stride(stride_),
        padding(padding_) {
    if (kernel == 1 && stride == 1 && padding == 0) {
      images *= height * width;
      height = width = 1;
    }
    output_height = output_size(height, kernel, stride, padding);
    output_width = output_size(width, kernel, stride, padding);
  }

  std::int64_t images, height, width, channels, outputs, kernel, stride, padding;
  std::int64_t output_height, output_width;
};

/// Places along one axis whose taps are the same, evenly apart in the result and in the source.
struct Stretch {
  std::int64_t first, step, length;  ///< in the result
  std::int64_t source_step;          ///< in the source
};

std::vector<Stretch> stretches(const std::vector<Taps>& axis) {
  std::vector<Stretch> result;
  std::vector<bool> taken(axis.size(), false);
  for (std::size_t i = 0; i < axis.size(); ++i) {
    if (taken[i]) {
      continue;
    }
    Stretch stretch{static_cast<std::int64_t>(i), 0, 1, 0};
    std::size_t last = i;
    for (std::size_t j = i + 1; j < axis.size(); ++j) {
      if (taken[j] || axis[j].tap != axis[i].tap || axis[j].count != axis[i].count) {
        continue;
      }
      const auto step = static_cast<std::int64_t>(j - last);
      const std::int64_t source_step = axis[j].source - axis[last].source;
      if (stretch.length == 1) {
        stretch.step = step;
        stretch.source_step = source_step;
      } else if (step != stretch.step || source_step != stretch.source_step) {
        break;
      }
      ++stretch.length;
      taken[j] = true;
      last = j;
    }
    result.push_back(stretch);
  }
  return result;
}

/// The positions of one map and their taps in another, `tap_step` filter positions apart.
class Gather {
 public:
  std::vector<DensePosition> positions;
  std::vector<DenseTap> taps;
  bool in_rows;  ///< positions stand for rows of them, and tiles lie along these; else across images

  Gather(const std::vector<Taps>& rows, const std::vector<Taps>& columns, std::int64_t tap_step, std::int64_t kernel,
         std::int64_t source_width, std::int64_t depth, std::int64_t result_channels, std::int64_t images,
         const DenseKernels& kernels)
      : rows_(rows),
        columns_(columns),
        tap_step_(tap_step),
        kernel_(kernel),
        source_width_(source_width),
        depth_(depth),
        result_channels_(result_channels),
        panel_columns_(kernels.panel_columns) {
    const auto down = stretches(rows), across = stretches(columns);
    const auto longest = [](const std::vector<Stretch>& axis) {
      return std::ranges::max_element(axis, {}, &Stretch::length)->length;
    };
    const std::int64_t length = std::max(longest(down), longest(across));
    in_rows = length > 1 && (length >= kernels.tile_rows || length > images);
    if (!in_rows) {
      for (std::int64_t y = 0; y < std::ssize(rows); ++y) {
        for (std::int64_t x = 0; x < std::ssize(columns); ++x) {
          add(y, x);
        }
      }
      return;
    }
    const auto width = static_cast<std::int64_t>(columns.size());
    for (const Stretch& y : down) {
      for (const Stretch& x : across) {
        const bool flat = x.length >= y.length;
        const Stretch& along = flat ? x : y;
        const Stretch& over = flat ? y : x;
        for (std::int64_t i = 0; i < over.length; ++i) {
          const std::int64_t place = over.first + i * over.step;
          DensePosition& position = flat ? add(place, x.first) : add(y.first, place);
          position.length = along.length;
          position.source_step = along.source_step * (flat ? 1 : source_width) * depth;
          position.result_step = along.step * (flat ? 1 : width) * result_channels;
        }
      }
    }
  }

 private:
  DensePosition& add(std::int64_t y, std::int64_t x) {
    const Taps& row = rows_[static_cast<std::size_t>(y)];
    const Taps& column = columns_[static_cast<std::size_t>(x)];
    positions.push_back(
        {(y * std::ssize(columns_) + x) * result_channels_, std::ssize(taps), row.count * column.count});
    for (std::int64_t i = 0; i < row.count; ++i) {
      for (std::int64_t j = 0; j < column.count; ++j) {
        const std::int64_t source = (row.source + i) * source_width_ + column.source + j;
        const std::int64_t tap = (row.tap + i * tap_step_) * kernel_ + column.tap + j * tap_step_;
        taps.push_back({source * depth_, tap * depth_ * panel_columns_});
      }
    }
    return positions.back();
  }

  const std::vector<Taps>&rows_, &columns_;
  std::int64_t tap_step_, kernel_, source_width_, depth_, result_channels_, panel_columns_;
};

/// `work.position` and `work.tap` are of `gather`.
void multiply(const DenseMultiply& work, const Gather& gather, std::int64_t images, const DenseKernels& kernel) {
  // what fits half a second-level cache meets one panel after the other
  constexpr std::int64_t kCache = std::int64_t{64} * 1024;
  const std::int64_t threads = at::get_num_threads();
  const std::int64_t units = gather.in_rows ? images * work.positions : images;
  const std::int64_t alike = gather.in_rows ? 1 : kernel.tile_rows;  // units that one tile takes
  const std::int64_t across = panels(work.columns, kernel.panel_columns);
  std::int64_t blocks = std::max<std::int64_t>(1, panels(images * work.source_image, kCache));
  if (units >= threads * 4 * alike) {
    blocks = panels(blocks, threads) * threads;
  } else if (blocks * across < threads) {  // neither few units nor few panels keep the threads busy
    blocks = std::clamp<std::int64_t>(panels(threads, across), 1, panels(units, alike));
  }
  const auto begin_of = [&](std::int64_t block) {
    return block == blocks ? units : units * block / blocks / alike * alike;
  };
  const auto run = gather.in_rows ? kernel.multiply_rows : kernel.multiply_images;
  at::parallel_for(0, blocks * across, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t block = task / across;
      run(work, begin_of(block), begin_of(block + 1), task % across);
    }
  });
}

/// The filter's outputs in panels, [panels, units of a panel].
at::Tensor pack_filter(const at::Tensor& weight, const Shape& s, std::int64_t depth, const DenseKernels& kernel) {
  const at::Tensor filter = channels_last(weight.to(at::kFloat));
  const std::int64_t rows = s.kernel * s.kernel * s.channels;
  const std::int64_t size = s.kernel * s.kernel * depth * kernel.panel_columns;
  at::Tensor packed = at::empty({panels(s.outputs, kernel.panel_columns), size}, at::kFloat);  // or pairs as wide
  at::parallel_for(0, packed.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t panel = begin; panel < end; ++panel) {
      kernel.pack_transposed(filter.data_ptr<float>(), rows, s.outputs, panel * kernel.panel_columns,
                             packed.data_ptr<float>() + panel * size);
    }
  });
  return packed;
}

struct DenseFunction : torch::autograd::Function<DenseFunction> {
  /// `bias` holds one tensor or none.
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            at::TensorList bias, std::int64_t stride, std::int64_t padding) {
    context->save_for_backward({x, weight});
    context->saved_data["bias"] = !bias.empty();
    context->saved_data["stride"] = stride;
    context->saved_data["padding"] = padding;
    return dense_forward(x, weight, bias.empty() ? at::Tensor() : bias[0], stride, padding, cpu_level());
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& weight = saved[1];
    const bool has_bias = context->saved_data["bias"].toBool();
    const std::int64_t stride = context->saved_data["stride"].toInt();
    const std::int64_t padding = context->saved_data["padding"].toInt();
    const std::array<bool, 3> wanted{context->needs_input_grad(0), context->needs_input_grad(1),
                                     has_bias && context->needs_input_grad(2)};
    torch::autograd::variable_list result(has_bias ? 5 : 4);
    if (at::GradMode::is_enabled()) {
      auto [grad_x, grad_weight, grad_bias] =
          at::convolution_backward(grads[0], x, weight.to(x.scalar_type()), at::IntArrayRef{weight.size(0)},
                                   {stride, stride}, {padding, padding}, {1, 1}, false, {0, 0}, 1, wanted);
      result[0] = grad_x;
      result[1] = grad_weight;
      if (has_bias) {
        result[2] = grad_bias;
      }
      return result;
    }
    const at::Tensor grad = channels_last(grads[0]);
    if (wanted[0]) {
      result[0] = dense_grad_input(grad, x, weight, stride, padding, cpu_level());
    }
    if (wanted[1]) {
      result[1] = dense_grad_weight(grad, x, weight, stride, padding, cpu_level());
    }
    if (wanted[2]) {
      result[2] = grad.sum({0, 2, 3}, /*keepdim=*/false, at::kFloat);
    }
    return result;
  }
};

bool is_float_on_cpu(const at::Tensor& x, std::int64_t dimensions) {
  return x.device().is_cpu() && (x.scalar_type() == at::kFloat || is_half(x)) && x.dim() == dimensions;
}

void check(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, std::int64_t stride,
           std::int64_t padding) {
  TORCH_CHECK(is_float_on_cpu(x, 4), "dense_conv2d: x must be a float32 or bfloat16 [N, C, H, W] on the CPU, got ",
              x.toString(), x.sizes());
  TORCH_CHECK(is_float_on_cpu(weight, 4) && weight.size(1) == x.size(1) && weight.size(2) == weight.size(3),
              "dense_conv2d: weight must be a float32 or bfloat16 [O, ", x.size(1), ", k, k], got ", weight.toString(),
              weight.sizes());
  TORCH_CHECK(!bias.defined() || (is_float_on_cpu(bias, 1) && bias.size(0) == weight.size(0)),
              "dense_conv2d: bias must be a float32 [", weight.size(0), "]");
  TORCH_CHECK(stride >= 1 && padding >= 0, "dense_conv2d: stride ", stride, " and padding ", padding,
              " must be at least 1 and 0");
  TORCH_CHECK(std::min(x.size(2), x.size(3)) + 2 * padding >= weight.size(2), "dense_conv2d: the map ", x.sizes(),
              " is smaller than the filter ", weight.sizes());
}

}  // namespace

bool multiplies_bf16(const at::Tensor& weight, CpuLevel level) {
  return level == CpuLevel::avx512_bf16 && weight.size(0) % 2 == 0 && weight.size(1) % 2 == 0;
}

at::Tensor dense_forward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, std::int64_t stride,
                         std::int64_t padding, CpuLevel level, PackedFilter* packed) {
  EFFNETV2_RECORD("conv_forward", x, weight);
  const at::Tensor source = factor(channels_last(x), weight, level);
  const DenseKernels& kernel = dense_kernels(source, level);
  const Shape s(x, weight, stride, padding);
  const at::Tensor offset = bias.defined() ? bias.to(at::kFloat).contiguous() : bias;
  at::Tensor y = at::empty({x.size(0), s.outputs, output_size(x.size(2), s.kernel, stride, padding),
                            output_size(x.size(3), s.kernel, stride, padding)},
                           source.options(), at::MemoryFormat::ChannelsLast);

  const std::int64_t depth = s.channels / unit(source);
  PackedFilter own;
  PackedFilter& filter = packed != nullptr ? *packed : own;
  if (!filter.panels.defined() || filter.dtype != x.scalar_type()) {
    filter = {pack_filter(rounded(weight, x, source), s, depth, kernel), x.scalar_type()};
  }
  const auto rows_taps = forward_taps(s.height, s.kernel, stride, padding),
             columns_taps = forward_taps(s.width, s.kernel, stride, padding);
  const Gather gather(rows_taps, columns_taps, 1, s.kernel, s.width, depth, s.outputs, s.images, kernel);
  const auto positions = static_cast<std::int64_t>(gather.positions.size());
  multiply({depth, s.outputs, s.height * s.width * depth, s.output_height * s.output_width * s.outputs, positions,
            gather.positions.data(), gather.taps.data(), source.data_ptr(), filter.panels.data_ptr(),
            filter.panels.size(1), offset.defined() ? offset.data_ptr<float>() : nullptr, y.data_ptr()},
           gather, s.images, kernel);
  return y.to(x.scalar_type());
}

at::Tensor dense_grad_input(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& weight, std::int64_t stride,
                            std::int64_t padding, CpuLevel level) {
  EFFNETV2_RECORD("conv_grad_input", grad, x, weight);
  const at::Tensor source = factor(channels_last(grad), weight, level);
  const DenseKernels& kernel = dense_kernels(source, level);
  const Shape s(x, weight, stride, padding);
  const at::Tensor filter = channels_last(rounded(weight, x, source).to(at::kFloat));
  at::Tensor result = at::empty(x.sizes(), source.options(), at::MemoryFormat::ChannelsLast);

  const std::int64_t taps = s.kernel * s.kernel;
  const std::int64_t depth = s.outputs / unit(source);
  const std::int64_t panel_size = taps * depth * kernel.panel_columns;
  at::Tensor packed = at::empty({panels(s.channels, kernel.panel_columns), panel_size}, at::kFloat);
  at::parallel_for(0, packed.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t panel = begin; panel < end; ++panel) {
      kernel.pack_straight(filter.data_ptr<float>(), s.outputs, taps, s.channels, panel * kernel.panel_columns,
                           packed.data_ptr<float>() + panel * panel_size);
    }
  });

  const auto rows_taps = backward_taps(s.height, s.kernel, stride, padding),
             columns_taps = backward_taps(s.width, s.kernel, stride, padding);
  const Gather gather(rows_taps, columns_taps, -stride, s.kernel, s.output_width, depth, s.channels, s.images, kernel);
  const auto positions = static_cast<std::int64_t>(gather.positions.size());
  multiply({depth, s.channels, s.output_height * s.output_width * depth, s.height * s.width * s.channels, positions,
            gather.positions.data(), gather.taps.data(), source.data_ptr(), packed.data_ptr(), panel_size, nullptr,
            result.data_ptr()},
           gather, s.images, kernel);
  return result.to(x.scalar_type());
}

at::Tensor dense_conv2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, std::int64_t stride,
                        std::int64_t padding, PackedFilter* packed) {
  check(x, weight, bias, stride, padding);
  if (at::GradMode::is_enabled() &&
      (x.requires_grad() || weight.requires_grad() || (bias.defined() && bias.requires_grad()))) {
    const at::TensorList offset = bias.defined() ? at::TensorList(bias) : at::TensorList();
    return DenseFunction::apply(channels_last(x), weight, offset, stride, padding);
  }
  return dense_forward(x, weight, bias, stride, padding, cpu_level(), packed);
}

}  // namespace effnetv2
