#include "effnetv2/ops/depthwise.h"

#include <algorithm>
#include <array>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "effnetv2/core/level_kernels.h"

#include "channels_last.h"
#include "conv_geometry.h"
#include "cpu/depthwise.h"
#include "record.h"

namespace effnetv2 {

using DepthwiseTable = std::array<DepthwiseKernels, 2>;  // float32, bfloat16
EFFNETV2_LEVEL_KERNELS(DepthwiseTable, depthwise_kernels)

namespace {

/// [C, 1, k, k] to [k * k, C].
at::Tensor channels_innermost(const at::Tensor& weight) {
  return weight.reshape({weight.size(0), -1}).t().contiguous();
}

/// The positions with all the filter's taps; stride 0 where neighbours do not follow each other evenly.
Interior interior(const std::vector<Taps>& columns, std::int64_t kernel, std::int64_t stride) {
  const auto whole = [kernel](const Taps& taps) { return taps.count == kernel; };
  const auto begin = std::find_if(columns.begin(), columns.end(), whole);
  const auto end = std::find_if_not(begin, columns.end(), whole);
  return {begin - columns.begin(), end - columns.begin(), stride};
}

const DepthwiseKernels& depthwise_kernels(const at::Tensor& x, CpuLevel level) {
  return depthwise_kernels_at(level)[x.scalar_type() == at::kBFloat16 ? 1 : 0];
}

void gather(const DepthwiseGather& gather, std::int64_t images, const DepthwiseKernels& kernel) {
  constexpr std::int64_t kGrain = 8192;  // results per task at least
  const std::int64_t row = std::max<std::int64_t>(1, gather.width * gather.channels);
  at::parallel_for(0, images * gather.height, std::max<std::int64_t>(1, kGrain / row),
                   [&](std::int64_t begin, std::int64_t end) { kernel.gather(gather, begin, end); });
}

struct DepthwiseFunction : torch::autograd::Function<DepthwiseFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            std::int64_t stride, std::int64_t padding) {
    context->save_for_backward({x, weight});
    context->saved_data["stride"] = stride;
    context->saved_data["padding"] = padding;
    return depthwise_forward(x, weight, stride, padding, cpu_level());
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& weight = saved[1];
    const std::int64_t stride = context->saved_data["stride"].toInt();
    const std::int64_t padding = context->saved_data["padding"].toInt();
    const bool for_x = context->needs_input_grad(0);
    const bool for_weight = context->needs_input_grad(1);
    at::Tensor grad_x;
    at::Tensor grad_weight;
    if (at::GradMode::is_enabled()) {
      std::tie(grad_x, grad_weight, std::ignore) = at::convolution_backward(
          grads[0], x, weight.to(x.scalar_type()), at::IntArrayRef{weight.size(0)}, {stride, stride},
          {padding, padding}, {1, 1}, false, {0, 0}, weight.size(0), {for_x, for_weight, false});
    } else {
      if (for_x) {
        grad_x = depthwise_grad_input(grads[0], x, weight, stride, padding, cpu_level());
      }
      if (for_weight) {
        grad_weight = depthwise_grad_weight(grads[0], x, weight, stride, padding, cpu_level());
      }
    }
    return {grad_x, grad_weight, at::Tensor(), at::Tensor()};
  }
};

void check(const at::Tensor& x, const at::Tensor& weight, std::int64_t stride, std::int64_t padding) {
  TORCH_CHECK(
      x.device().is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16) && x.dim() == 4,
      "depthwise_conv2d: x must be a float32 or bfloat16 [N, C, H, W] on the CPU, got ", x.toString(), x.sizes());
  TORCH_CHECK(weight.device().is_cpu() && weight.scalar_type() == at::kFloat && weight.dim() == 4 &&
                  weight.size(0) == x.size(1) && weight.size(1) == 1 && weight.size(2) == weight.size(3) &&
                  weight.size(2) % 2 == 1,
              "depthwise_conv2d: weight must be a float32 [", x.size(1), ", 1, k, k] with odd k, got ",
              weight.toString(), weight.sizes());
  TORCH_CHECK(stride >= 1 && padding >= 0, "depthwise_conv2d: stride ", stride, " and padding ", padding,
              " must be at least 1 and 0");
  TORCH_CHECK(std::min(x.size(2), x.size(3)) + 2 * padding >= weight.size(2), "depthwise_conv2d: the map ", x.sizes(),
              " is smaller than the filter ", weight.sizes());
}

}  // namespace

at::Tensor depthwise_forward(const at::Tensor& x, const at::Tensor& weight, std::int64_t stride, std::int64_t padding,
                             CpuLevel level) {
  EFFNETV2_RECORD("conv_depthwise_forward", x, weight);
  const std::int64_t kernel = weight.size(2);
  const std::int64_t height = output_size(x.size(2), kernel, stride, padding);
  const std::int64_t width = output_size(x.size(3), kernel, stride, padding);
  const auto rows = forward_taps(x.size(2), kernel, stride, padding);
  const auto columns = forward_taps(x.size(3), kernel, stride, padding);
  const at::Tensor source = channels_last(x);
  const at::Tensor filter = channels_innermost(weight);
  at::Tensor y = at::empty({x.size(0), x.size(1), height, width}, x.options(), at::MemoryFormat::ChannelsLast);
  gather({x.size(1), kernel, x.size(2), x.size(3), height, width, rows.data(), columns.data(),
          interior(columns, kernel, stride), 1, source.data_ptr(), filter.data_ptr<float>(), y.data_ptr()},
         x.size(0), depthwise_kernels(x, level));
  return y;
}

at::Tensor depthwise_grad_input(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& weight,
                                std::int64_t stride, std::int64_t padding, CpuLevel level) {
  EFFNETV2_RECORD("conv_depthwise_grad_input", grad, x, weight);
  const std::int64_t kernel = weight.size(2);
  const auto rows = backward_taps(x.size(2), kernel, stride, padding);
  const auto columns = backward_taps(x.size(3), kernel, stride, padding);
  const at::Tensor source = channels_last(grad);
  const at::Tensor filter = channels_innermost(weight);
  at::Tensor result = at::empty(x.sizes(), x.options(), at::MemoryFormat::ChannelsLast);
  gather({x.size(1), kernel, grad.size(2), grad.size(3), x.size(2), x.size(3), rows.data(), columns.data(),
          interior(columns, kernel, stride == 1 ? 1 : 0), -stride, source.data_ptr(), filter.data_ptr<float>(),
          result.data_ptr()},
         x.size(0), depthwise_kernels(x, level));
  return result;
}

at::Tensor depthwise_grad_weight(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& weight,
                                 std::int64_t stride, std::int64_t padding, CpuLevel level) {
  EFFNETV2_RECORD("conv_depthwise_grad_weight", grad, x, weight);
  constexpr std::int64_t kChannels = 64;  // per task: a few sums per tap stay in the first cache
  constexpr std::int64_t kTasks = 32;
  const DepthwiseKernels& kernel_set = depthwise_kernels(x, level);
  const std::int64_t images = x.size(0);
  const std::int64_t channels = x.size(1);
  const std::int64_t kernel = weight.size(2);
  const auto rows = forward_taps(x.size(2), kernel, stride, padding);
  const auto columns = forward_taps(x.size(3), kernel, stride, padding);
  const at::Tensor source = channels_last(x);
  const at::Tensor grad_output = channels_last(grad);
  const DepthwiseReduce reduce{channels,
                               kernel,
                               x.size(2),
                               x.size(3),
                               grad.size(2),
                               grad.size(3),
                               rows.data(),
                               columns.data(),
                               interior(columns, kernel, stride),
                               source.data_ptr(),
                               grad_output.data_ptr()};
  // The split depends on the shape alone, and so do the bits of the sums.
  const std::int64_t blocks = (channels + kChannels - 1) / kChannels;
  const std::int64_t chunks =
      std::clamp<std::int64_t>(kTasks / std::max<std::int64_t>(1, blocks), 1, std::max<std::int64_t>(1, images));
  at::Tensor sums = at::zeros({chunks, kernel * kernel, channels}, weight.options());
  float* out = sums.data_ptr<float>();
  at::parallel_for(0, chunks * blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t chunk = task / blocks;
      const std::int64_t first = task % blocks * kChannels;
      kernel_set.reduce(reduce, images * chunk / chunks, images * (chunk + 1) / chunks, first,
                        std::min(channels, first + kChannels), out + chunk * kernel * kernel * channels);
    }
  });
  const at::Tensor total = chunks == 1 ? sums[0] : sums.sum(0);
  return total.t().contiguous().view(weight.sizes());
}

at::Tensor depthwise_conv2d(const at::Tensor& x, const at::Tensor& weight, std::int64_t stride, std::int64_t padding) {
  check(x, weight, stride, padding);
  if (at::GradMode::is_enabled() && (x.requires_grad() || weight.requires_grad())) {
    return DepthwiseFunction::apply(channels_last(x), weight, stride, padding);
  }
  return depthwise_forward(x, weight, stride, padding, cpu_level());
}

}  // namespace effnetv2
