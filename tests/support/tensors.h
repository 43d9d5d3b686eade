#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include <ATen/ATen.h>

#include "effnetv2/weights/safetensors.h"

namespace effnetv2::test {

/// Equal dtype, shape and bytes, whatever the strides.
inline bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.contiguous(), y = b.contiguous();
  return x.scalar_type() == y.scalar_type() && x.sizes() == y.sizes() &&
         (x.nbytes() == 0 || std::memcmp(x.data_ptr(), y.data_ptr(), x.nbytes()) == 0);
}

/// Every dtype, rank 0, empty, strided and odd-named tensors.
inline NamedTensors every_kind() {
  at::manual_seed(1);
  NamedTensors tensors;
  for (const auto dtype : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16}) {
    tensors.emplace_back(std::string("float.") + c10::toString(dtype), at::randn({3, 5}).to(dtype));
  }
  for (const auto dtype : {at::kLong, at::kInt, at::kShort, at::kChar, at::kByte, at::kBool}) {
    tensors.emplace_back(std::string("int.") + c10::toString(dtype), at::randint(0, 2, {7}).to(dtype));
  }
  tensors.emplace_back("scalar", at::scalar_tensor(std::int64_t{1} << 40, at::kLong));
  tensors.emplace_back("empty", at::empty({2, 0, 3}));
  tensors.emplace_back("empty.flat", at::empty({0}, at::kBool));
  tensors.emplace_back("not finite", at::tensor({std::numeric_limits<float>::quiet_NaN(), -0.0f, HUGE_VALF}));
  tensors.emplace_back("channels_last", at::randn({2, 3, 4, 5}).contiguous(at::MemoryFormat::ChannelsLast));
  tensors.emplace_back("transposed", at::randn({4, 3}).t());
  tensors.emplace_back("slice", at::randn({10}).slice(0, 1, 9, 3));
  tensors.emplace_back("leaf", at::randn({2}).requires_grad_());
  tensors.emplace_back("odd \"name\"\n\\ \xC3\xBC", at::ones({1}));
  return tensors;
}

}  // namespace effnetv2::test
