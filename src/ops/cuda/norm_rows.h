#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "channel_vector.h"
#include "launch.h"
#include "norm_kernels.h"

// How the normalisation's kernels share a map's rows out: a thread takes a vector of neighbouring channels, a block
// `lanes` of them and as many rows at a time as it has threads left; it goes on over the rows of its chunk.
namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {

inline constexpr int kNormThreads = 256;
inline constexpr int kNormLanes = 32;  // at most

struct RowTiling {
  int channels, positions;
  int lanes, groups;         ///< threads of a block, and blocks, along the channels
  std::int64_t rows, chunk;  ///< fewer than 2^31 rows
  unsigned chunks;

  dim3 block() const { return dim3(static_cast<unsigned>(lanes), static_cast<unsigned>(kNormThreads / lanes)); }
  dim3 grid() const { return dim3(chunks, static_cast<unsigned>(groups)); }
};

/// Chunks of `rows`, each of a multiple of a block's rows; by the shape alone.
inline RowTiling tile_rows(const NormMap& map, int vector) {
  constexpr std::int64_t kBlocks = 1024;  // enough for every card
  constexpr std::int64_t kLeastTurns = 4;
  const auto parts = [](std::int64_t size, std::int64_t part) { return (size + part - 1) / part; };
  RowTiling t{};
  t.channels = map.channels;
  t.positions = map.positions;
  t.rows = map.rows;
  const auto vectors = static_cast<int>(parts(map.channels, vector));
  t.lanes = 1;
  while (t.lanes < kNormLanes && t.lanes < vectors) {
    t.lanes *= 2;
  }
  t.groups = static_cast<int>(parts(vectors, t.lanes));
  const std::int64_t step = kNormThreads / t.lanes;
  t.chunk = step * std::max(kLeastTurns, parts(map.rows, step * std::max<std::int64_t>(1, kBlocks / t.groups)));
  t.chunks = static_cast<unsigned>(parts(map.rows, t.chunk));
  return t;
}

/// The channels of a thread; those of the last group may be none.
template <int vector>
__device__ __forceinline__ int first_channel() {
  return static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x) * vector;
}

/// From a multiple of 16 bytes, if they are more than one.
template <int vector>
__device__ __forceinline__ void load_floats(const float* from, float (&values)[vector]) {
  if constexpr (vector == 1) {
    values[0] = __ldg(from);
  } else {
#pragma unroll
    for (int v = 0; v < vector; v += 4) {
      const float4 four = __ldg(reinterpret_cast<const float4*>(from + v));
      values[v] = four.x;
      values[v + 1] = four.y;
      values[v + 2] = four.z;
      values[v + 3] = four.w;
    }
  }
}

/// Of a row. A division of 64 bits would take as long as the rest of it.
__device__ __forceinline__ std::int64_t image_of(const RowTiling& t, std::int64_t row) {
  return static_cast<unsigned>(row) / static_cast<unsigned>(t.positions);
}

__device__ __forceinline__ float sigmoid(float z) {
  return 1.0f / (1.0f + __expf(-z));
}

/// Makes of the gradients of a result those of z.
template <int vector>
__device__ __forceinline__ void grad_before_norm(const RowTiling& t, std::int64_t row, int channel,
                                                 const BranchGrad& branch, bool silu, const float (&scale)[vector],
                                                 const float (&shift)[vector], const float (&values)[vector],
                                                 float (&grads)[vector]) {
  if (branch.gate != nullptr) {
    const std::int64_t image = image_of(t, row) * t.channels + channel;
    float gates[vector], shares[vector];
    load_floats<vector>(branch.gate + image, gates);
    load_floats<vector>(branch.share + image, shares);
#pragma unroll
    for (int v = 0; v < vector; ++v) {
      grads[v] = grads[v] * gates[v] + shares[v];
    }
  } else if (branch.keep != nullptr) {
    const float factor = __ldg(branch.keep + image_of(t, row));
#pragma unroll
    for (int v = 0; v < vector; ++v) {
      grads[v] *= factor;
    }
  }
  if (silu) {
#pragma unroll
    for (int v = 0; v < vector; ++v) {
      const float z = values[v] * scale[v] + shift[v];
      const float s = sigmoid(z);
      grads[v] *= s * (1.0f + z * (1.0f - s));
    }
  }
}

/// work(vectors of 1 or as many channels as one access takes) for maps of either dtype.
template <typename Work>
cudaError_t by_type(const NormMap& map, const Work& work) {
  if (map.type == MapType::bfloat16) {
    return map.channels % 8 == 0 ? work(Bfloat16(0.0f), std::integral_constant<int, 8>())
                                 : work(Bfloat16(0.0f), std::integral_constant<int, 1>());
  }
  return map.channels % 4 == 0 ? work(0.0f, std::integral_constant<int, 4>())
                               : work(0.0f, std::integral_constant<int, 1>());
}

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
