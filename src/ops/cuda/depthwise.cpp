#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "effnetv2/ops/cuda_depthwise.h"

#include "../channels_last.h"
#include "../conv_geometry.h"
#include "../record.h"
#include "depthwise_kernels.h"
#include "stream.h"

namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {
namespace {

bool is_float(const at::Tensor& x) {
  return x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
}

/// A map as the kernels want it. A view that starts between two multiples of 16 bytes is copied.
at::Tensor map(const at::Tensor& x) {
  const at::Tensor y = channels_last(x);
  return reinterpret_cast<std::uintptr_t>(y.data_ptr()) % 16 == 0 ? y : y.clone();
}

at::Tensor filter(const at::Tensor& weight) {
  return weight.to(at::kFloat).contiguous();
}

DepthwiseShape shape_of(const at::Tensor& x, const at::Tensor& weight, std::int64_t stride, std::int64_t padding) {
  const auto narrow = [](std::int64_t value) { return static_cast<int>(value); };
  const std::int64_t kernel = weight.size(2);
  DepthwiseShape s{};
  s.type = x.scalar_type() == at::kBFloat16 ? MapType::bfloat16 : MapType::float32;
  s.images = narrow(x.size(0));
  s.channels = narrow(x.size(1));
  s.height = narrow(x.size(2));
  s.width = narrow(x.size(3));
  s.out_height = narrow(output_size(x.size(2), kernel, stride, padding));
  s.out_width = narrow(output_size(x.size(3), kernel, stride, padding));
  s.kernel = narrow(kernel);
  s.stride = narrow(stride);
  s.padding = narrow(padding);
  return s;
}

struct DepthwiseFunction : torch::autograd::Function<DepthwiseFunction> {
  /// `bias` holds one tensor or none.
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            at::TensorList bias, std::int64_t stride, std::int64_t padding) {
    context->save_for_backward({x, weight});
    if (!bias.empty()) {
      context->saved_data["bias"] = static_cast<std::int64_t>(bias[0].scalar_type());
    }
    context->saved_data["stride"] = stride;
    context->saved_data["padding"] = padding;
    return depthwise_forward(x, weight, bias.empty() ? at::Tensor() : bias[0], false, stride, padding);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& weight = saved[1];
    const bool has_bias = context->saved_data.count("bias") > 0;
    const std::int64_t stride = context->saved_data["stride"].toInt();
    const std::int64_t padding = context->saved_data["padding"].toInt();
    const bool for_x = context->needs_input_grad(0);
    const bool for_weight = context->needs_input_grad(1);
    torch::autograd::variable_list result(has_bias ? 5 : 4);
    if (has_bias && context->needs_input_grad(2)) {
      const auto dtype = static_cast<at::ScalarType>(context->saved_data["bias"].toInt());
      result[2] = grads[0].sum({0, 2, 3}, /*keepdim=*/false, at::kFloat).to(dtype);
    }
    if (at::GradMode::is_enabled()) {
      std::tie(result[0], result[1], std::ignore) = at::convolution_backward(
          grads[0], x, weight.to(x.scalar_type()), at::IntArrayRef{weight.size(0)}, {stride, stride},
          {padding, padding}, {1, 1}, false, {0, 0}, weight.size(0), {for_x, for_weight, false});
      return result;
    }
    const at::Tensor grad = map(grads[0]);
    if (for_x) {
      result[0] = depthwise_grad_input(grad, x, weight, stride, padding);
    }
    if (for_weight) {
      result[1] = depthwise_grad_weight(grad, x, weight, stride, padding);
    }
    return result;
  }
};

void check(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, std::int64_t stride,
           std::int64_t padding) {
  constexpr std::int64_t kLimit = std::numeric_limits<std::int32_t>::max();
  TORCH_CHECK(x.device().type() == kDevice && is_float(x) && x.dim() == 4,
              "depthwise_conv2d: x must be a float32 or bfloat16 [N, C, H, W] on ", kDevice, ", got ", x.toString(),
              x.sizes());
  TORCH_CHECK(weight.device() == x.device() && is_float(weight) && weight.dim() == 4 && weight.size(0) == x.size(1) &&
                  weight.size(1) == 1 && weight.size(2) == weight.size(3) && weight.size(2) % 2 == 1,
              "depthwise_conv2d: weight must be a float32 or bfloat16 [", x.size(1), ", 1, k, k] with odd k on ",
              x.device(), ", got ", weight.toString(), weight.sizes());
  TORCH_CHECK(!bias.defined() ||
                  (bias.device() == x.device() && is_float(bias) && bias.dim() == 1 && bias.size(0) == x.size(1)),
              "depthwise_conv2d: bias must be a float32 or bfloat16 [", x.size(1), "] on ", x.device());
  TORCH_CHECK(stride >= 1 && padding >= 0 && stride <= kLimit && padding <= kLimit / 4, "depthwise_conv2d: stride ",
              stride, " and padding ", padding, " must be at least 1 and 0");
  TORCH_CHECK(std::min(x.size(2), x.size(3)) >= 1 && std::min(x.size(2), x.size(3)) + 2 * padding >= weight.size(2),
              "depthwise_conv2d: the map ", x.sizes(), " is smaller than the filter ", weight.sizes());
  const std::int64_t kernel = weight.size(2);
  const std::int64_t positions = std::max(x.size(2) * x.size(3), output_size(x.size(2), kernel, stride, padding) *
                                                                     output_size(x.size(3), kernel, stride, padding));
  TORCH_CHECK(positions * x.size(1) <= kLimit && positions * x.size(0) <= kLimit, "depthwise_conv2d: the map ",
              x.sizes(), " is too large");
}

void check_grad(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& weight, std::int64_t stride,
                std::int64_t padding) {
  check(x, weight, {}, stride, padding);
  const DepthwiseShape s = shape_of(x, weight, stride, padding);
  TORCH_CHECK(grad.device() == x.device() && grad.scalar_type() == x.scalar_type() &&
                  grad.sizes() == at::IntArrayRef({x.size(0), x.size(1), s.out_height, s.out_width}),
              "depthwise_conv2d: the gradient must be as the result, got ", grad.toString(), grad.sizes());
}

}  // namespace

at::Tensor depthwise_forward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool silu,
                             std::int64_t stride, std::int64_t padding) {
  EFFNETV2_RECORD("conv_depthwise_forward", x, weight);
  check(x, weight, bias, stride, padding);
  const DepthwiseShape shape = shape_of(x, weight, stride, padding);
  at::Tensor y =
      at::empty({x.size(0), x.size(1), shape.out_height, shape.out_width}, x.options(), at::MemoryFormat::ChannelsLast);
  if (y.numel() == 0) {
    return y;
  }
  const DeviceGuard on_card(x);
  const at::Tensor source = map(x);
  const at::Tensor taps = filter(weight);
  const at::Tensor offset = bias.defined() ? bias.to(at::kFloat).contiguous() : bias;
  check_launch(depthwise_forward(shape,
                                 {source.data_ptr(), taps.data_ptr<float>(),
                                  offset.defined() ? offset.data_ptr<float>() : nullptr, silu, y.data_ptr()},
                                 current_stream(x)));
  return y;
}

at::Tensor depthwise_grad_input(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& weight,
                                std::int64_t stride, std::int64_t padding) {
  EFFNETV2_RECORD("conv_depthwise_grad_input", grad, x, weight);
  check_grad(grad, x, weight, stride, padding);
  at::Tensor result = at::empty(x.sizes(), x.options(), at::MemoryFormat::ChannelsLast);
  if (result.numel() == 0) {
    return result;
  }
  const DeviceGuard on_card(x);
  const at::Tensor source = map(grad);
  const at::Tensor taps = filter(weight);
  check_launch(depthwise_grad_input(shape_of(x, weight, stride, padding),
                                    {source.data_ptr(), taps.data_ptr<float>(), result.data_ptr()}, current_stream(x)));
  return result;
}

at::Tensor depthwise_grad_weight(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& weight,
                                 std::int64_t stride, std::int64_t padding) {
  EFFNETV2_RECORD("conv_depthwise_grad_weight", grad, x, weight);
  check_grad(grad, x, weight, stride, padding);
  const auto options = x.options().dtype(at::kFloat);
  if (x.numel() == 0) {
    return at::zeros(weight.sizes(), weight.options());
  }
  const DeviceGuard on_card(x);
  const DepthwiseShape shape = shape_of(x, weight, stride, padding);
  const at::Tensor source = map(x);
  const at::Tensor grad_output = map(grad);
  const int count = depthwise_grad_weight_parts(shape);
  const at::Tensor parts = count > 1 ? at::empty({count, weight.numel()}, options) : at::Tensor();
  const at::Tensor result = at::empty(weight.sizes(), options);
  check_launch(depthwise_grad_weight(shape,
                                     {grad_output.data_ptr(), source.data_ptr(),
                                      count > 1 ? parts.data_ptr<float>() : nullptr, result.data_ptr<float>()},
                                     current_stream(x)));
  return result.to(weight.scalar_type());
}

at::Tensor depthwise_conv2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, std::int64_t stride,
                            std::int64_t padding) {
  if (at::GradMode::is_enabled() &&
      (x.requires_grad() || weight.requires_grad() || (bias.defined() && bias.requires_grad()))) {
    const at::TensorList offset = bias.defined() ? at::TensorList(bias) : at::TensorList();
    return DepthwiseFunction::apply(map(x), weight, offset, stride, padding);
  }
  return depthwise_forward(x, weight, bias, false, stride, padding);
}

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
