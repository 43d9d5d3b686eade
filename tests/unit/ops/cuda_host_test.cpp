// The emulator that runs CUDA kernels in these tests: that it finds what is wrong in a kernel.
#include <stdexcept>
#include <vector>

#include <c10/util/BFloat16.h>
#include <gmock/gmock.h>

#include "cuda_host/cuda_bf16.h"
#include "cuda_host/cuda_runtime.h"

namespace effnetv2 {
namespace {

using cuda_host::run;
using testing::HasSubstr;
using testing::ThrowsMessage;

__global__ void number_threads(std::vector<int>& out) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  out.at(block * 24 + thread) += 1;
}

TEST(CudaHost, RunsEachThreadOfEachBlockOnce) {
  std::vector<int> out(24 * 30);
  run({5, 3, 2}, {4, 3, 2}, 0, [&] { number_threads(out); });
  EXPECT_EQ(out, std::vector<int>(24 * 30, 1));
}

template <bool with_barrier>
__global__ void reverse(const int* in, int* out) {
  __shared__ int shared[64];
  shared[threadIdx.x] = in[blockIdx.x * 64 + threadIdx.x];
  if constexpr (with_barrier) {
    __syncthreads();
  }
  out[blockIdx.x * 64 + threadIdx.x] = shared[63 - threadIdx.x];
}

TEST(CudaHost, ABarrierIsOneAndItsLackIsSeen) {
  std::vector<int> in(640), out(640), expected(640);
  for (int i = 0; i < 640; ++i) {
    in[static_cast<std::size_t>(i)] = i;
    expected[static_cast<std::size_t>(i)] = i / 64 * 64 + 63 - i % 64;
  }
  run({10, 1, 1}, {64, 1, 1}, 0, [&] { reverse<true>(in.data(), out.data()); });
  EXPECT_EQ(out, expected);
  run({10, 1, 1}, {64, 1, 1}, 0, [&] { reverse<false>(in.data(), out.data()); });
  EXPECT_NE(out, expected);
}

TEST(CudaHost, ShufflesReadOtherLanes) {
  std::vector<double> sums(96);
  std::vector<float> below(96);
  std::vector<int> pairs(96), first(96);
  run({1, 1, 1}, {96, 1, 1}, 0, [&] {
    double sum = threadIdx.x;
    for (int mask = 16; mask > 0; mask /= 2) {
      sum += __shfl_xor_sync(0xffffffffU, sum, mask);
    }
    sums[threadIdx.x] = sum;
    below[threadIdx.x] = __shfl_down_sync(0xffffffffU, static_cast<float>(threadIdx.x), 1U, 8);
    if (threadIdx.x % 32 < 16) {
      pairs[threadIdx.x] = __shfl_xor_sync(0x0000ffffU, static_cast<int>(threadIdx.x), 1);
    }
    first[threadIdx.x] = __shfl_sync(0xffffffffU, static_cast<int>(threadIdx.x), 0);
  });
  for (int i = 0; i < 96; ++i) {
    const auto at = static_cast<std::size_t>(i);
    EXPECT_EQ(sums[at], 32 * (i / 32 * 32) + 31 * 16);
    EXPECT_EQ(below[at], static_cast<float>(i % 8 == 7 ? i : i + 1));
    EXPECT_EQ(pairs[at], i % 32 < 16 ? i ^ 1 : 0);
    EXPECT_EQ(first[at], i / 32 * 32);
  }
}

TEST(CudaHost, DynamicSharedMemoryIsOnesOwnAndStartsAsNan) {
  run({3, 1, 1}, {32, 1, 1}, 32 * sizeof(float), [&] {
    auto* shared = static_cast<float*>(cuda_host::dynamic_shared());
    if (!std::isnan(shared[threadIdx.x])) {
      throw std::logic_error("a block sees what another wrote");
    }
    shared[threadIdx.x] = 1.0f;
  });
}

TEST(CudaHost, WhatACardWouldNotFinishIsAnError) {
  const auto in_block = [](unsigned threads, const std::function<void()>& thread) {
    return [=] { run({1, 1, 1}, {threads, 1, 1}, 0, thread); };
  };
  EXPECT_THAT(in_block(64,
                       [] {
                         if (threadIdx.x < 32) {
                           __syncthreads();
                         } else {
                           __syncwarp(0x0000ffffU << (threadIdx.x % 2 * 16) | 1U << threadIdx.x % 32);
                         }
                       }),
              ThrowsMessage<std::logic_error>(HasSubstr("cuda_host")));
  EXPECT_THAT(in_block(32,
                       [] {
                         if (threadIdx.x != 7) {
                           __shfl_xor_sync(0xffffffffU, 1, 1);
                         }
                       }),
              ThrowsMessage<std::logic_error>(HasSubstr("has ended")));
  EXPECT_THAT(in_block(40, [] { __syncwarp(); }), ThrowsMessage<std::logic_error>(HasSubstr("is none")));
  EXPECT_THAT(in_block(2048, [] {}), ThrowsMessage<std::logic_error>(HasSubstr("no card")));
  EXPECT_THAT(in_block(4, [] { throw std::runtime_error("of a kernel"); }),
              ThrowsMessage<std::runtime_error>(HasSubstr("of a kernel")));
  // and it goes on afterwards
  std::vector<int> out(24 * 30);
  run({5, 3, 2}, {4, 3, 2}, 0, [&] { number_threads(out); });
  EXPECT_EQ(out.back(), 1);
}

TEST(CudaHost, Bfloat16IsLibTorchs) {
  for (std::uint64_t i = 0; i < 1U << 20U; ++i) {
    const float x = __uint_as_float(static_cast<unsigned>(i * 4099 + 77));
    if (!std::isnan(x)) {
      EXPECT_EQ(__float2bfloat16_rn(x).bits, c10::BFloat16(x).x) << x;
    } else {
      EXPECT_TRUE(std::isnan(static_cast<float>(__nv_bfloat16(x))));
    }
  }
}

}  // namespace
}  // namespace effnetv2
