#include <algorithm>
#include <cstdint>

#include "channel_vector.h"
#include "depthwise_kernels.h"
#include "depthwise_tiling.h"

// The gradient by the filter. A block sums one share of the map's tiles for its channels in float32, each thread its
// own tiles, then all threads in their order; where the map was cut into parts, a second kernel adds them in float64.
namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {
namespace {

/// Strides of an array of sums in floats.
struct SumsLayout {
  std::int64_t part, tap, channel;
};

struct Reduce {
  Tiling tiling;  ///< of the gradient's map
  int source_height, source_width;
  int kernel, stride, padding;
  unsigned parts;
  const void* grad;
  const void* source;
  float* sums;
  SumsLayout layout;
};

/// The tiles [begin, end) of part `part` of `parts`, in units of a block's.
struct Share {
  unsigned begin, end;
};

__device__ __forceinline__ Share share_of(const Reduce& a, unsigned part) {
  const unsigned blocks = (a.tiling.tiles + blockDim.y - 1) / blockDim.y;
  const auto border = [&](unsigned i) {
    return static_cast<unsigned>(static_cast<std::uint64_t>(blocks) * i / a.parts);
  };
  return {border(part), border(part + 1)};
}

/// Adds `count` taps' sums, `vector` channels each, over the threads that share a lane, in the order of the threads,
/// and writes them. All threads of the block call it.
template <int vector, int count>
__device__ __forceinline__ void write_sums(const Reduce& a, int group, unsigned part, int first_tap,
                                           const float (&sum)[count][vector]) {
  __shared__ float shared[count * kDepthwiseThreads * vector];
  const int lanes = static_cast<int>(blockDim.x);
  const int rows = static_cast<int>(blockDim.y);
  const int row = static_cast<int>(threadIdx.y);
  const int lane = static_cast<int>(threadIdx.x);
  const int channels = lanes * vector;
#pragma unroll
  for (int i = 0; i < count; ++i) {
#pragma unroll
    for (int v = 0; v < vector; ++v) {
      shared[(i * rows + row) * channels + lane * vector + v] = sum[i][v];
    }
  }
  __syncthreads();
  for (int i = row * lanes + lane; i < count * channels; i += lanes * rows) {
    const int tap = i / channels;
    const int channel = group * channels + i % channels;
    const float* from = shared + tap * rows * channels + i % channels;
    float total = 0.0f;
#pragma unroll 8
    for (int r = 0; r < rows; ++r) {
      total += from[r * channels];
    }
    if (channel < a.tiling.channels) {
      a.sums[part * a.layout.part + (first_tap + tap) * a.layout.tap + channel * a.layout.channel] = total;
    }
  }
  __syncthreads();  // before the next call writes
}

/// `rows` of the filter's rows at once, in registers: each value of both maps is loaded once for them and for a tile of
/// 1 x columns of the gradient.
template <typename T, int kernel, int stride, int rows, int columns>
__global__ void __launch_bounds__(kDepthwiseThreads, 3) reduce_tiles(const Reduce a) {
  constexpr int vector = kWidest<T>;
  constexpr int source_columns = (columns - 1) * stride + kernel;
  constexpr unsigned bands = kernel / rows;
  static_assert(bands * rows == kernel);
  const Tiling& t = a.tiling;
  const unsigned groups = static_cast<unsigned>(t.groups);
  const int group = static_cast<int>(blockIdx.x % groups);
  const int first_row = static_cast<int>(blockIdx.x / groups % bands) * rows;
  const unsigned part = blockIdx.x / groups / bands;
  const int channel = (group * t.lanes + static_cast<int>(threadIdx.x)) * vector;
  float sum[rows][kernel][vector] = {};
  const Share share = share_of(a, part);
  for (unsigned block = share.begin; block < share.end; ++block) {
    const Tile tile = tile_at(t, block * blockDim.y + threadIdx.y);
    if (!tile.exists || channel >= t.channels) {
      continue;
    }
    const T* grad_row = static_cast<const T*>(a.grad) +
                        (static_cast<std::int64_t>(tile.image) * t.height + tile.row) * t.width * t.channels;
    float grad[columns][vector];
#pragma unroll
    for (int p = 0; p < columns; ++p) {
      const int x = tile.column * columns + p;
      unpack<T, vector>(
          x < t.width ? load_channels<T, vector>(grad_row + x * t.channels + channel) : no_channels<T, vector>(),
          grad[p]);
    }
    const T* source = static_cast<const T*>(a.source) +
                      static_cast<std::int64_t>(tile.image) * a.source_height * a.source_width * t.channels;
    const int row = tile.row * stride - a.padding + first_row;
    const int column = tile.column * columns * stride - a.padding;
#pragma unroll
    for (int i = 0; i < rows; ++i) {
      const bool inside = static_cast<unsigned>(row + i) < static_cast<unsigned>(a.source_height);
      PackedChannels<T, vector> packed[source_columns];
#pragma unroll
      for (int x = 0; x < source_columns; ++x) {
        const bool valid = inside && static_cast<unsigned>(column + x) < static_cast<unsigned>(a.source_width);
        packed[x] =
            valid ? load_channels<T, vector>(source + ((row + i) * a.source_width + column + x) * t.channels + channel)
                  : no_channels<T, vector>();
      }
#pragma unroll
      for (int x = 0; x < source_columns; ++x) {
        float value[vector];
        unpack<T, vector>(packed[x], value);
#pragma unroll
        for (int p = 0; p < columns; ++p) {
          const int j = x - p * stride;
          if (j < 0 || j >= kernel) {
            continue;
          }
#pragma unroll
          for (int v = 0; v < vector; ++v) {
            sum[i][j][v] = fmaf(grad[p][v], value[v], sum[i][j][v]);
          }
        }
      }
    }
  }
#pragma unroll
  for (int i = 0; i < rows; ++i) {
    write_sums<vector, kernel>(a, group, part, (first_row + i) * kernel, sum[i]);
  }
}

/// Any filter, stride and padding: a block sums for one tap.
template <typename T, int vector>
__global__ void __launch_bounds__(kDepthwiseThreads) reduce_positions(const Reduce a) {
  const Tiling& t = a.tiling;
  const unsigned groups = static_cast<unsigned>(t.groups);
  const unsigned taps = static_cast<unsigned>(a.kernel * a.kernel);
  const int group = static_cast<int>(blockIdx.x % groups);
  const int tap = static_cast<int>(blockIdx.x / groups % taps);
  const unsigned part = blockIdx.x / groups / taps;
  const int channel = (group * t.lanes + static_cast<int>(threadIdx.x)) * vector;
  float sum[1][vector] = {};
  const Share share = share_of(a, part);
  for (unsigned block = share.begin; block < share.end; ++block) {
    const Tile tile = tile_at(t, block * blockDim.y + threadIdx.y);
    const int y = tile.row * a.stride - a.padding + tap / a.kernel;
    const int x = tile.column * a.stride - a.padding + tap % a.kernel;
    if (!tile.exists || channel >= t.channels || y < 0 || y >= a.source_height || x < 0 || x >= a.source_width) {
      continue;
    }
    const auto at = [&](const void* map, int height, int width, int from_y, int from_x) {
      return static_cast<const T*>(map) + static_cast<std::int64_t>(tile.image) * height * width * t.channels +
             (from_y * width + from_x) * t.channels + channel;
    };
    float grad[vector], value[vector];
    unpack<T, vector>(load_channels<T, vector>(at(a.grad, t.height, t.width, tile.row, tile.column)), grad);
    unpack<T, vector>(load_channels<T, vector>(at(a.source, a.source_height, a.source_width, y, x)), value);
#pragma unroll
    for (int v = 0; v < vector; ++v) {
      sum[0][v] = fmaf(grad[v], value[v], sum[0][v]);
    }
  }
  write_sums<vector, 1>(a, group, part, tap, sum);
}

constexpr int kPartColumns = 32;
constexpr int kPartRows = 8;

/// grad_weight[c, tap] = sum of parts[:, tap, c]. A thread adds every eighth part, one of the eight then their sums.
__global__ void __launch_bounds__(kPartColumns* kPartRows)
    add_parts(const float* parts, int count, int taps, int channels, float* grad_weight) {
  __shared__ double shared[kPartRows][kPartColumns];
  const int column = static_cast<int>(threadIdx.x);
  const int row = static_cast<int>(threadIdx.y);
  const int size = taps * channels;
  const int index = static_cast<int>(blockIdx.x) * kPartColumns + column;
  double sum = 0.0;
  if (index < size) {
#pragma unroll 4
    for (int part = row; part < count; part += kPartRows) {
      sum += static_cast<double>(__ldg(parts + static_cast<std::int64_t>(part) * size + index));
    }
  }
  shared[row][column] = sum;
  __syncthreads();
  if (row == 0 && index < size) {
    for (int i = 1; i < kPartRows; ++i) {
      sum += shared[i][column];
    }
    grad_weight[index % channels * taps + index / channels] = static_cast<float>(sum);
  }
}

/// Rows of the filter that a thread sums for: as many as leave room for its channels' sums in registers.
constexpr int filter_rows(int kernel) {
  return kernel == 3 ? 3 : 1;
}

/// Columns of a tile at most, by the same measure.
constexpr int tile_columns(int stride) {
  return stride == 1 ? 3 : 2;
}

struct Plan {
  Tiling tiling;
  int columns;    ///< of a tile
  bool in_tiles;  ///< reduce_tiles(), else reduce_positions()
  int bands;      ///< into which the filter's taps are shared out
  int parts;
};

template <typename T>
Plan make_plan(const DepthwiseShape& s) {
  constexpr int kBlocks = 396;  // three for each of an H100's 132 multiprocessors
  constexpr int kNarrow = 2;    // lanes: 32 bytes, the least that memory hands out, in bfloat16
  constexpr unsigned kFew = 4;  // tiles of a thread that take less time than a second kernel
  Plan plan{};
  plan.in_tiles = s.channels % kWidest<T> == 0 && (s.kernel == 3 || s.kernel == 5) && s.stride <= 2;
  plan.columns = !plan.in_tiles ? 1 : s.out_width > 4 ? tile_columns(s.stride) : 2;
  const int vector = s.channels % kWidest<T> == 0 ? kWidest<T> : 1;
  plan.bands = plan.in_tiles ? s.kernel / filter_rows(s.kernel) : s.kernel * s.kernel;
  const auto tiling = [&](int widest) {
    return make_tiling(s.images, s.channels, s.out_height, s.out_width, vector, 1, plan.columns, widest);
  };
  plan.tiling = tiling(vector == 1 ? kNarrow * kLanes : kNarrow);
  if (plan.tiling.blocks() <= kFew) {
    plan.parts = 1;
    return plan;
  }
  plan.tiling = tiling(vector == 1 ? 32 : kLanes);
  const int across = plan.tiling.groups * plan.bands;
  plan.parts = static_cast<int>(std::min(static_cast<unsigned>(std::max(1, kBlocks / across)), plan.tiling.blocks()));
  return plan;
}

Plan plan_of(const DepthwiseShape& s) {
  return s.type == MapType::float32 ? make_plan<float>(s) : make_plan<Bfloat16>(s);
}

template <typename Kernel>
cudaError_t run(Kernel kernel, const Plan& plan, const Reduce& a, cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>(plan.tiling.groups) * static_cast<unsigned>(plan.bands) * a.parts;
  return launch(kernel, dim3(blocks), plan.tiling.block(), 0, stream, a);
}

template <typename T, int kernel, int stride>
cudaError_t run_tiles(const Plan& plan, const Reduce& a, cudaStream_t stream) {
  constexpr int rows = filter_rows(kernel);
  return plan.columns == 2 ? run(reduce_tiles<T, kernel, stride, rows, 2>, plan, a, stream)
                           : run(reduce_tiles<T, kernel, stride, rows, tile_columns(stride)>, plan, a, stream);
}

template <typename T>
cudaError_t reduce(const DepthwiseShape& s, const Plan& plan, const Reduce& a, cudaStream_t stream) {
  if (!plan.in_tiles) {
    return plan.tiling.vector == 1 ? run(reduce_positions<T, 1>, plan, a, stream)
                                   : run(reduce_positions<T, kWidest<T>>, plan, a, stream);
  }
  if (s.kernel == 3) {
    return s.stride == 1 ? run_tiles<T, 3, 1>(plan, a, stream) : run_tiles<T, 3, 2>(plan, a, stream);
  }
  return s.stride == 1 ? run_tiles<T, 5, 1>(plan, a, stream) : run_tiles<T, 5, 2>(plan, a, stream);
}

}  // namespace

int depthwise_grad_weight_parts(const DepthwiseShape& shape) {
  return plan_of(shape).parts;
}

cudaError_t depthwise_grad_weight(const DepthwiseShape& shape, const DepthwiseGradWeight& tensors,
                                  cudaStream_t stream) {
  const Plan plan = plan_of(shape);
  const int taps = shape.kernel * shape.kernel;
  Reduce a{};
  a.tiling = plan.tiling;
  a.source_height = shape.height;
  a.source_width = shape.width;
  a.kernel = shape.kernel;
  a.stride = shape.stride;
  a.padding = shape.padding;
  a.parts = static_cast<unsigned>(plan.parts);
  a.grad = tensors.grad;
  a.source = tensors.x;
  if (plan.parts == 1) {
    a.sums = tensors.grad_weight;
    a.layout = {0, 1, taps};
  } else {
    a.sums = tensors.parts;
    a.layout = {static_cast<std::int64_t>(taps) * shape.channels, shape.channels, 1};
  }
  const cudaError_t error =
      shape.type == MapType::float32 ? reduce<float>(shape, plan, a, stream) : reduce<Bfloat16>(shape, plan, a, stream);
  if (error != cudaSuccess || plan.parts == 1) {
    return error;
  }
  const int size = taps * shape.channels;
  return launch(add_parts, dim3(static_cast<unsigned>((size + kPartColumns - 1) / kPartColumns)),
                dim3(kPartColumns, kPartRows), 0, stream, static_cast<const float*>(tensors.parts), plan.parts, taps,
                shape.channels, tensors.grad_weight);
}

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
