#pragma once

#include <array>

#include <ATen/core/ivalue.h>
#include <ATen/record_function.h>

// EFFNETV2_RECORD("conv_forward", x, weight): shows the rest of the scope as an operation to `bench --profile` and to
// LibTorch's own profilers, as effnetv2::conv_forward.
#define EFFNETV2_RECORD(name, ...)                                                  \
  const std::array<c10::IValue, EFFNETV2_COUNT(__VA_ARGS__)> recorded{__VA_ARGS__}; \
  RECORD_FUNCTION("effnetv2::" name, c10::ArrayRef<const c10::IValue>(recorded.data(), recorded.size()))
#define EFFNETV2_COUNT(...) std::tuple_size_v<decltype(std::make_tuple(__VA_ARGS__))>
