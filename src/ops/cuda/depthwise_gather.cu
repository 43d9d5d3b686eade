#include <cstdint>

#include "channel_vector.h"
#include "depthwise_kernels.h"
#include "depthwise_tiling.h"

// The convolution and its gradient by the input: each value of the result gathers from its source map. The order of a
// sum depends neither on the tile that it is in nor on the number of images.
namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {
namespace {

struct Gather {
  Tiling tiling;  ///< of the result
  int source_height, source_width;
  int kernel, stride, padding;  ///< the filter's; forward and flipped: source = result * stride - padding + tap
  bool flipped;                 ///< the filter is read from its end
  bool silu;
  const void* source;
  const float* weight;
  const float* bias;
  void* result;
};

/// The block's channels of a [C, 1, k, k] filter in shared memory, taps outermost. Each channel vector is cut into
/// pieces of 16 bytes, and the pieces of neighbouring lanes follow each other: no two meet in a bank.
template <int kernel, int vector>
struct Filter {
  static constexpr int kTaps = kernel * kernel;
  static constexpr int kPiece = 4;
  static constexpr int kPieces = vector / kPiece;

  float4 values[kTaps * kPieces * kLanes];

  __device__ void load(const Gather& a, int first_channel) {
    const int count = min(a.tiling.lanes * vector, a.tiling.channels - first_channel) * kTaps;
    const float* from = a.weight + static_cast<std::int64_t>(first_channel) * kTaps;
    auto* to = reinterpret_cast<float*>(values);
    const int threads = static_cast<int>(blockDim.x * blockDim.y);
    for (int i = static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x); i < count; i += threads) {
      const int channel = i / kTaps;
      const int tap = a.flipped ? kTaps - 1 - i % kTaps : i % kTaps;
      const int lane = channel / vector;
      const int piece = channel % vector / kPiece;
      to[((tap * kPieces + piece) * kLanes + lane) * kPiece + channel % kPiece] = __ldg(from + i);
    }
    __syncthreads();
  }

  __device__ __forceinline__ void tap(int lane, int row, int column, float (&weight)[vector]) const {
#pragma unroll
    for (int piece = 0; piece < kPieces; ++piece) {
      const float4 value = values[((row * kernel + column) * kPieces + piece) * kLanes + lane];
      weight[piece * kPiece + 0] = value.x;
      weight[piece * kPiece + 1] = value.y;
      weight[piece * kPiece + 2] = value.z;
      weight[piece * kPiece + 3] = value.w;
    }
  }
};

template <int vector>
__device__ __forceinline__ void start_sum(const float* bias, int channel, float (&sum)[vector]) {
#pragma unroll
  for (int v = 0; v < vector; ++v) {
    sum[v] = bias != nullptr ? __ldg(bias + channel + v) : 0.0f;
  }
}

template <typename T, int vector>
__device__ __forceinline__ void finish(bool silu, float (&sum)[vector], T* to) {
  if (silu) {
#pragma unroll
    for (int v = 0; v < vector; ++v) {
      sum[v] = sum[v] / (1.0f + __expf(-sum[v]));
    }
  }
  store_channels<T, vector>(to, sum);
}

/// One row of a source map for `count` neighbouring columns from `column` on; zeros outside. `from` is where the first
/// would lie.
template <typename T, int vector, int count>
__device__ __forceinline__ void load_row(const Gather& a, const T* from, bool wanted, int row, int column,
                                         PackedChannels<T, vector> (&values)[count]) {
  const bool inside = wanted && static_cast<unsigned>(row) < static_cast<unsigned>(a.source_height);
#pragma unroll
  for (int i = 0; i < count; ++i) {
    const bool valid = inside && static_cast<unsigned>(column + i) < static_cast<unsigned>(a.source_width);
    values[i] = valid ? load_channels<T, vector>(from) : no_channels<T, vector>();
    from += a.tiling.channels;
  }
}

/// Where a position of the source lies; it may be outside.
template <typename T>
__device__ __forceinline__ const T* source_at(const Gather& a, int image, int row, int column, int channel) {
  const std::int64_t first = static_cast<std::int64_t>(image) * a.source_height * a.source_width;
  return static_cast<const T*>(a.source) + (first + row * a.source_width + column) * a.tiling.channels + channel;
}

template <typename T, int vector, int rows, int columns>
__device__ __forceinline__ void store_tile(const Gather& a, int image, int row, int column, int channel,
                                           float (&sum)[rows][columns][vector]) {
  const Tiling& t = a.tiling;
  T* to = static_cast<T*>(a.result) + static_cast<std::int64_t>(image) * t.height * t.width * t.channels;
#pragma unroll
  for (int r = 0; r < rows; ++r) {
#pragma unroll
    for (int p = 0; p < columns; ++p) {
      if (row + r < t.height && column + p < t.width) {
        finish<T, vector>(a.silu, sum[r][p], to + ((row + r) * t.width + column + p) * t.channels + channel);
      }
    }
  }
}

/// Blocks that a multiprocessor has to have registers for: enough to hide the way to memory, few enough not to spill.
template <int kernel>
inline constexpr int kResident = kernel == 3 ? 3 : 2;

/// Tiles of rows x columns of the result; each source value is loaded and converted once for all of a tile.
template <typename T, int kernel, int stride, int rows, int columns>
__global__ void __launch_bounds__(kDepthwiseThreads, kResident<kernel>) gather_tiles(const Gather a) {
  constexpr int vector = kWidest<T>;
  constexpr int source_columns = (columns - 1) * stride + kernel;
  __shared__ Filter<kernel, vector> filter;
  const Tiling& t = a.tiling;
  const int group = static_cast<int>(blockIdx.x % static_cast<unsigned>(t.groups));
  const unsigned block = blockIdx.x / static_cast<unsigned>(t.groups);
  const int lane = static_cast<int>(threadIdx.x);
  const int channel = (group * t.lanes + lane) * vector;
  filter.load(a, group * t.lanes * vector);
  const Tile tile = tile_at(t, block * blockDim.y + threadIdx.y);
  if (!tile.exists || channel >= t.channels) {
    return;
  }
  float sum[rows][columns][vector];
#pragma unroll
  for (int r = 0; r < rows; ++r) {
#pragma unroll
    for (int p = 0; p < columns; ++p) {
      start_sum<vector>(a.bias, channel, sum[r][p]);
    }
  }
  const int row = tile.row * rows * stride - a.padding;
  const int column = tile.column * columns * stride - a.padding;
  const T* from = source_at<T>(a, tile.image, row, column, channel);
  const std::int64_t row_step = static_cast<std::int64_t>(a.source_width) * t.channels;
#pragma unroll
  for (int y = 0; y < (rows - 1) * stride + kernel; ++y) {
    PackedChannels<T, vector> source[source_columns];
    load_row<T, vector>(a, from + y * row_step, true, row + y, column, source);
#pragma unroll
    for (int r = 0; r < rows; ++r) {
      const int i = y - r * stride;
      if (i < 0 || i >= kernel) {
        continue;
      }
      float weight[kernel][vector];
#pragma unroll
      for (int j = 0; j < kernel; ++j) {
        filter.tap(lane, i, j, weight[j]);
      }
#pragma unroll
      for (int x = 0; x < source_columns; ++x) {
        float value[vector];
        unpack<T, vector>(source[x], value);
#pragma unroll
        for (int p = 0; p < columns; ++p) {
          const int j = x - p * stride;
          if (j < 0 || j >= kernel) {
            continue;
          }
#pragma unroll
          for (int v = 0; v < vector; ++v) {
            sum[r][p][v] = fmaf(weight[j][v], value[v], sum[r][p][v]);
          }
        }
      }
    }
  }
  store_tile<T, vector>(a, tile.image, tile.row * rows, tile.column * columns, channel, sum);
}

/// Whether the padding is the usual one of a filter, k / 2, or differs from it by an even number.
constexpr bool usual_parity(int kernel, int padding) {
  return (kernel / 2 - padding) % 2 == 0;
}

/// The gradient by the input at stride 2 for usual_parity(): which taps a column meets is known at compile time.
template <typename T, int kernel, int columns>
__global__ void __launch_bounds__(kDepthwiseThreads, kResident<kernel>) gather_tiles_backward(const Gather a) {
  static_assert(columns % 2 == 0);
  constexpr int vector = kWidest<T>;
  // result column + padding = 2 * source column + tap; the first column of a tile is even
  constexpr int parity = kernel / 2 % 2;
  constexpr int first = (parity - (kernel - 1)) / 2;
  constexpr int source_columns = (columns - 1 + parity) / 2 - first + 1;
  __shared__ Filter<kernel, vector> filter;
  const Tiling& t = a.tiling;
  const int group = static_cast<int>(blockIdx.x % static_cast<unsigned>(t.groups));
  const unsigned block = blockIdx.x / static_cast<unsigned>(t.groups);
  const int lane = static_cast<int>(threadIdx.x);
  const int channel = (group * t.lanes + lane) * vector;
  filter.load(a, group * t.lanes * vector);
  const Tile tile = tile_at(t, block * blockDim.y + threadIdx.y);
  if (!tile.exists || channel >= t.channels) {
    return;
  }
  float sum[1][columns][vector] = {};
  const int reach = tile.row + a.padding;
  const int column = (tile.column * columns + a.padding - parity) / 2 + first;
#pragma unroll
  for (int step = 0; step < (kernel + 1) / 2; ++step) {
    const int tap_row = reach % 2 + 2 * step;
    PackedChannels<T, vector> source[source_columns];
    const int row = (reach - tap_row) >> 1;
    load_row<T, vector>(a, source_at<T>(a, tile.image, row, column, channel), tap_row < kernel, row, column, source);
#pragma unroll
    for (int j = 0; j < kernel; ++j) {
      float weight[vector];
      filter.tap(lane, min(tap_row, kernel - 1), j, weight);
#pragma unroll
      for (int p = 0; p < columns; ++p) {
        const int twice = p + parity - j;
        if (twice % 2 != 0) {
          continue;
        }
        float value[vector];
        unpack<T, vector>(source[twice / 2 - first], value);
#pragma unroll
        for (int v = 0; v < vector; ++v) {
          sum[0][p][v] = fmaf(weight[v], value[v], sum[0][p][v]);
        }
      }
    }
  }
  store_tile<T, vector>(a, tile.image, tile.row, tile.column * columns, channel, sum);
}

/// The taps of one position that meet the source along an axis: `count` from `tap` on in steps of `tap_step`, each
/// `source_step` further in the source than the one before.
struct AxisTaps {
  int source, source_step, tap, tap_step, count;
};

__device__ __forceinline__ AxisTaps taps_of(int position, int size, int kernel, int stride, int padding,
                                            bool backward) {
  if (backward) {
    const int reach = position + padding;
    const int last = min(reach / stride, size - 1);
    const int first = reach < kernel ? 0 : (reach - kernel) / stride + 1;
    return {last, -1, reach - last * stride, stride, max(0, last - first + 1)};
  }
  const int origin = position * stride - padding;
  const int first = max(0, -origin);
  return {origin + first, 1, first, 1, max(0, min(kernel, size - origin) - first)};
}

/// Any filter, stride and padding, one position a thread. The filter is read where it lies: maps of one position,
/// which meet one tap, wait for nothing else.
template <typename T, int vector, bool backward>
__global__ void __launch_bounds__(kDepthwiseThreads) gather_positions(const Gather a) {
  const Tiling& t = a.tiling;
  const int group = static_cast<int>(blockIdx.x % static_cast<unsigned>(t.groups));
  const unsigned block = blockIdx.x / static_cast<unsigned>(t.groups);
  const int channel = (group * t.lanes + static_cast<int>(threadIdx.x)) * vector;
  const Tile tile = tile_at(t, block * blockDim.y + threadIdx.y);
  if (!tile.exists || channel >= t.channels) {
    return;
  }
  const AxisTaps rows = taps_of(tile.row, a.source_height, a.kernel, a.stride, a.padding, backward);
  const AxisTaps columns = taps_of(tile.column, a.source_width, a.kernel, a.stride, a.padding, backward);
  const int taps = a.kernel * a.kernel;
  const float* filter = a.weight + static_cast<std::int64_t>(channel) * taps;
  float sum[1][1][vector];
  start_sum<vector>(a.bias, channel, sum[0][0]);
  for (int i = 0; i < rows.count; ++i) {
    const int y = rows.source + i * rows.source_step;
    const int row_tap = (rows.tap + i * rows.tap_step) * a.kernel;
    for (int j = 0; j < columns.count; ++j) {
      const int x = columns.source + j * columns.source_step;
      const float* weight = filter + row_tap + columns.tap + j * columns.tap_step;
      float value[vector];
      unpack<T, vector>(load_channels<T, vector>(source_at<T>(a, tile.image, y, x, channel)), value);
#pragma unroll
      for (int v = 0; v < vector; ++v) {
        sum[0][0][v] = fmaf(__ldg(weight + v * taps), value[v], sum[0][0][v]);
      }
    }
  }
  store_tile<T, vector>(a, tile.image, tile.row, tile.column, channel, sum);
}

struct MapSize {
  int height, width;
};

/// A launch with the tiling of `result` put into its arguments.
template <typename Kernel>
cudaError_t run(Kernel kernel, Gather a, const Tiling& tiling, cudaStream_t stream) {
  a.tiling = tiling;
  return launch(kernel, dim3(tiling.blocks() * static_cast<unsigned>(tiling.groups)), tiling.block(), 0, stream, a);
}

/// Large tiles load less, small ones occupy more multiprocessors: an H100 has 132 with room for 2048 threads each.
bool worth_large_tiles(const Tiling& large, int width) {
  return width > 2 && large.threads() >= 32768;
}

template <typename T, int kernel, int stride>
cudaError_t run_tiles(const DepthwiseShape& s, MapSize result, const Gather& a, cudaStream_t stream) {
  constexpr int rows = kernel == 3 && stride == 1 ? 2 : 1;
  constexpr int columns = kernel == 5 && stride == 2 ? 2 : 4;
  const auto tiling = [&](int tile_rows, int tile_columns) {
    return make_tiling(s.images, s.channels, result.height, result.width, kWidest<T>, tile_rows, tile_columns);
  };
  const Tiling large = tiling(rows, columns);
  return worth_large_tiles(large, result.width) ? run(gather_tiles<T, kernel, stride, rows, columns>, a, large, stream)
                                                : run(gather_tiles<T, kernel, stride, 1, 2>, a, tiling(1, 2), stream);
}

template <typename T, int kernel>
cudaError_t run_tiles_backward(const DepthwiseShape& s, MapSize result, const Gather& a, cudaStream_t stream) {
  const auto tiling = [&](int tile_columns) {
    return make_tiling(s.images, s.channels, result.height, result.width, kWidest<T>, 1, tile_columns);
  };
  const Tiling large = tiling(4);
  return worth_large_tiles(large, result.width) ? run(gather_tiles_backward<T, kernel, 4>, a, large, stream)
                                                : run(gather_tiles_backward<T, kernel, 2>, a, tiling(2), stream);
}

template <typename T, bool backward>
cudaError_t run_positions(const DepthwiseShape& s, MapSize result, const Gather& a, cudaStream_t stream) {
  const auto tiling = [&](int vector, int widest) {
    return make_tiling(s.images, s.channels, result.height, result.width, vector, 1, 1, widest);
  };
  if (s.channels % kWidest<T> == 0) {
    return run(gather_positions<T, kWidest<T>, backward>, a, tiling(kWidest<T>, kLanes), stream);
  }
  return run(gather_positions<T, 1, backward>, a, tiling(1, 32), stream);
}

/// Tiles pay where several taps meet the map.
template <typename T>
bool has_tiles(const DepthwiseShape& s, MapSize source) {
  return s.channels % kWidest<T> == 0 && source.height * source.width > 1 && (s.kernel == 3 || s.kernel == 5) &&
         s.stride <= 2;
}

Gather arguments(const DepthwiseShape& s, MapSize source) {
  Gather a{};
  a.source_height = source.height;
  a.source_width = source.width;
  a.kernel = s.kernel;
  a.stride = s.stride;
  a.padding = s.padding;
  return a;
}

template <typename T>
cudaError_t forward(const DepthwiseShape& s, const DepthwiseForward& tensors, cudaStream_t stream) {
  const MapSize source{s.height, s.width}, result{s.out_height, s.out_width};
  Gather a = arguments(s, source);
  a.silu = tensors.silu;
  a.source = tensors.x;
  a.weight = tensors.weight;
  a.bias = tensors.bias;
  a.result = tensors.out;
  if (!has_tiles<T>(s, source)) {
    return run_positions<T, false>(s, result, a, stream);
  }
  if (s.kernel == 3) {
    return s.stride == 1 ? run_tiles<T, 3, 1>(s, result, a, stream) : run_tiles<T, 3, 2>(s, result, a, stream);
  }
  return s.stride == 1 ? run_tiles<T, 5, 1>(s, result, a, stream) : run_tiles<T, 5, 2>(s, result, a, stream);
}

template <typename T>
cudaError_t grad_input(const DepthwiseShape& s, const DepthwiseGradInput& tensors, cudaStream_t stream) {
  const MapSize source{s.out_height, s.out_width}, result{s.height, s.width};
  Gather a = arguments(s, source);
  a.source = tensors.grad;
  a.weight = tensors.weight;
  a.result = tensors.grad_x;
  if (!has_tiles<T>(s, source) || (s.stride == 2 && !usual_parity(s.kernel, s.padding))) {
    return run_positions<T, true>(s, result, a, stream);
  }
  if (s.stride == 1) {  // a convolution with the filter turned around
    a.padding = s.kernel - 1 - s.padding;
    a.flipped = true;
    return s.kernel == 3 ? run_tiles<T, 3, 1>(s, result, a, stream) : run_tiles<T, 5, 1>(s, result, a, stream);
  }
  return s.kernel == 3 ? run_tiles_backward<T, 3>(s, result, a, stream)
                       : run_tiles_backward<T, 5>(s, result, a, stream);
}

}  // namespace

cudaError_t depthwise_forward(const DepthwiseShape& shape, const DepthwiseForward& tensors, cudaStream_t stream) {
  return shape.type == MapType::float32 ? forward<float>(shape, tensors, stream)
                                        : forward<Bfloat16>(shape, tensors, stream);
}

cudaError_t depthwise_grad_input(const DepthwiseShape& shape, const DepthwiseGradInput& tensors, cudaStream_t stream) {
  return shape.type == MapType::float32 ? grad_input<float>(shape, tensors, stream)
                                        : grad_input<Bfloat16>(shape, tensors, stream);
}

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
