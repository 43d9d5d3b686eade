#include "effnetv2/ops/conv.h"

#include <ATen/ATen.h>

#include "effnetv2/core/cpu_features.h"
#include "effnetv2/ops/cuda_depthwise.h"
#include "effnetv2/ops/cuda_device.h"
#include "effnetv2/ops/depthwise.h"

namespace effnetv2 {
namespace {

/// What our kernels take in place of at::conv2d: maps of either type beside float32 weights.
bool fits_kernels(const at::Tensor& x, const at::Tensor& weight) {
  return weight.device() == x.device() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16) &&
         weight.scalar_type() == at::kFloat && x.dim() == 4 && weight.dim() == 4 && x.numel() > 0;
}

/// Whether dense_conv2d() is the faster one (docs/performance.md). In float32 not for the three channels of a picture,
/// and not for less than fills its register tiles. In bfloat16 without AVX512_BF16 always: LibTorch's takes ten times
/// as long and more (measured with AVX2 and with less; AVX-512 without AVX512_BF16 is not).
bool worth_our_own(const at::Tensor& x, const at::Tensor& weight) {
  if (weight.size(2) != weight.size(3)) {
    return false;
  }
  if (x.scalar_type() == at::kBFloat16) {
    return cpu_level() != CpuLevel::avx512_bf16 || multiplies_bf16(weight, cpu_level());
  }
  return cpu_level() >= CpuLevel::avx2 && x.size(1) >= 8 && x.size(0) * x.size(2) * x.size(3) >= 32;
}

}  // namespace

at::Tensor conv2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, std::int64_t stride,
                  std::int64_t padding, std::int64_t groups, PackedFilter* packed) {
  const bool depthwise = groups > 1 && groups == x.size(1) && groups == weight.size(0) &&
                         weight.size(2) == weight.size(3) && weight.size(2) % 2 == 1;
  if (depthwise && x.is_cuda() && has_cuda_kernels() && fits_kernels(x, weight)) {
    return cuda::depthwise_conv2d(x, weight, bias, stride, padding);
  }
  if (x.is_cpu() && has_cpu_kernels() && fits_kernels(x, weight)) {
    if (depthwise && !bias.defined()) {
      return depthwise_conv2d(x, weight, stride, padding);
    }
    if (groups == 1 && worth_our_own(x, weight)) {
      return dense_conv2d(x, weight, bias, stride, padding, packed);
    }
  }
  if (x.scalar_type() == at::kBFloat16) {
    const at::Tensor offset = bias.defined() ? bias.to(at::kBFloat16) : bias;
    const at::Tensor filter =
        packed != nullptr && packed->bfloat16.defined() ? packed->bfloat16 : weight.to(at::kBFloat16);
    if (packed != nullptr) {
      packed->bfloat16 = filter;
    }
    return at::conv2d(x, filter, offset, {stride, stride}, {padding, padding}, {1, 1}, groups);
  }
  return at::conv2d(x, weight, bias, {stride, stride}, {padding, padding}, {1, 1}, groups);
}

}  // namespace effnetv2
