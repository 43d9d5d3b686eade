#include "dense.h"

#include <array>
#include <utility>

#include "tile.h"

namespace effnetv2::EFFNETV2_CPU_LEVEL {
namespace {

/// Asks for `units` from `source` on, which the processor does not guess: it meets too many short streams.
template <typename Unit>
inline void prefetch(const Unit* source, int64_t units) {
  constexpr int64_t kLine = 64 / sizeof(Unit);
  for (int64_t at = 0; at < units; at += kLine) {
    __builtin_prefetch(source + at);
  }
}

template <typename A, int rows, int vectors>
void multiply_tile(const DenseMultiply& a, const DensePosition& position, const typename A::Unit* source,
                   int64_t stride, const typename A::Unit* panel, const float* bias, typename A::Result* result,
                   int64_t result_stride, int64_t columns) {
  const int64_t depth = a.depth;
  Vector sum[rows][vectors];
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) {
      sum[r][v] = load<Vector>(bias + v * kLanes);
    }
  }
  const DenseTap* tap = a.tap + position.first;
  for (int64_t i = 0; i < position.count; ++i) {
    const auto* x = source + tap[i].source;
    const auto* w = panel + tap[i].panel;
    for (int64_t k = 0; k < depth; ++k) {
      typename A::Register weight[vectors];
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) {
        weight[v] = load<typename A::Register>(w + v * kLanes);
      }
#pragma GCC unroll 12
      for (int r = 0; r < rows; ++r) {
        const auto value = x[r * stride];
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) {
          sum[r][v] = A::add(sum[r][v], value, weight[v]);
        }
      }
      ++x;
      w += kColumns;
    }
  }
  store_tile(sum, result, result_stride, columns);
}

/// By the number of rows, from 1 on; of one register across where a panel has no more columns, else of two.
template <typename A>
using MultiplyTile = void (*)(const DenseMultiply&, const DensePosition&, const typename A::Unit*, int64_t,
                              const typename A::Unit*, const float*, typename A::Result*, int64_t, int64_t);
template <typename A, int vectors, int... rows>
constexpr std::array<MultiplyTile<A>, sizeof...(rows)> multiply_tiles(std::integer_sequence<int, rows...>) {
  return {multiply_tile<A, rows + 1, vectors>...};
}
template <typename A, int vectors>
constexpr auto kMultiplyTile = multiply_tiles<A, vectors>(std::make_integer_sequence<int, kRows>());

/// What is the same for all tiles of one panel.
template <typename A>
struct Panel {
  const DenseMultiply& a;
  const typename A::Unit* panel;
  int64_t first, columns;
  float bias[kColumns] = {};

  Panel(const DenseMultiply& multiply, int64_t index)
      : a(multiply),
        panel(static_cast<const typename A::Unit*>(a.panels) + index * a.panel_size),
        first(index * kColumns),
        columns(min(kColumns, a.columns - first)) {
    for (int64_t j = 0; a.bias != nullptr && j < columns; ++j) {
      bias[j] = a.bias[first + j];
    }
  }

  /// `count` rows of tiles, `source_step` units and `result_step` values apart.
  void multiply(const DensePosition& position, int64_t image, int64_t count, int64_t source_step,
                int64_t result_step) const {
    const auto& tiles = columns > kLanes ? kMultiplyTile<A, kVectors> : kMultiplyTile<A, 1>;
    const auto* source = static_cast<const typename A::Unit*>(a.source) + image * a.source_image;
    auto* result = static_cast<typename A::Result*>(a.result) + image * a.result_image + position.result + first;
    int64_t rows = 0;
    for (int64_t row = 0; row < count; row += rows) {
      const int64_t left = count - row;
      // a short last tile leaves the multipliers idle: share out what is left
      rows = left >= kRows + kRows / 2 ? kRows : left > kRows ? (left + 1) / 2 : left;
      // the next tile's rows; the last of several taps is the one whose row was not met before
      if (first == 0 && position.count > 0 && (position.length > 1 || a.positions == 1)) {
        prefetch(source + a.tap[position.first + position.count - 1].source + (row + rows) * source_step,
                 kRows * source_step);
      }
      tiles[static_cast<std::size_t>(rows - 1)](a, position, source + row * source_step, source_step, panel, bias,
                                                result + row * result_step, result_step, columns);
    }
  }
};

template <typename A>
void multiply_images(const DenseMultiply& a, int64_t begin, int64_t end, int64_t index) {
  const Panel<A> panel(a, index);
  // one tile of images at a time, as their maps are what stays in the caches
  int64_t images = 0;
  for (int64_t image = begin; image < end; image += images) {
    const int64_t left = end - image;
    images = left >= kRows + kRows / 2 ? kRows : left > kRows ? (left + 1) / 2 : left;
    for (int64_t p = 0; p < a.positions; ++p) {
      panel.multiply(a.position[p], image, images, a.source_image, a.result_image);
    }
  }
}

template <typename A>
void multiply_rows(const DenseMultiply& a, int64_t begin, int64_t end, int64_t index) {
  const Panel<A> panel(a, index);
  for (int64_t unit = begin; unit < end; ++unit) {
    const DensePosition& position = a.position[unit % a.positions];
    panel.multiply(position, unit / a.positions, position.length, position.source_step, position.result_step);
  }
}

/// The unit of a filter's channel k and, for pairs, the next.
template <typename A>
inline typename A::Unit filter_unit(const float* from, int64_t next) {
  if constexpr (A::kWidth == 1) {
    return *from;
  } else {
    return A::pair(from[0], from[next]);
  }
}

template <typename A>
void pack_transposed(const float* filter, int64_t depth, int64_t columns, int64_t first, void* panel_) {
  auto* panel = static_cast<typename A::Unit*>(panel_);
  constexpr int64_t kBlock = 64;  // of the depth: what is written stays in the first cache
  const int64_t exist = min(kColumns, columns - first);
  for (int64_t begin = 0; begin < depth; begin += kBlock) {
    const int64_t end = min(depth, begin + kBlock);
    for (int64_t j = 0; j < exist; ++j) {
      const float* from = filter + (first + j) * depth;
      prefetch(from + end, kBlock);
      for (int64_t k = begin; k < end; k += A::kWidth) {
        panel[k / A::kWidth * kColumns + j] = filter_unit<A>(from + k, 1);
      }
    }
    for (int64_t j = exist; j < kColumns; ++j) {
      for (int64_t k = begin; k < end; k += A::kWidth) {
        panel[k / A::kWidth * kColumns + j] = typename A::Unit{};
      }
    }
  }
}

template <typename A>
void pack_straight(const float* filter, int64_t depth, int64_t taps, int64_t columns, int64_t first, void* panel_) {
  auto* to = static_cast<typename A::Unit*>(panel_);
  const int64_t exist = min(kColumns, columns - first);
  for (int64_t tap = 0; tap < taps; ++tap) {
    for (int64_t k = 0; k < depth; k += A::kWidth) {
      const float* from = filter + (k * taps + tap) * columns + first;
      constexpr int64_t kAhead = 16;
      prefetch(from + kAhead * taps * columns, kColumns);
      for (int64_t j = 0; j < exist; ++j) {
        to[j] = filter_unit<A>(from + j, taps * columns);
      }
      for (int64_t j = exist; j < kColumns; ++j) {
        to[j] = typename A::Unit{};
      }
      to += kColumns;
    }
  }
}

template <typename A>
constexpr DenseKernels kernels_of() {
  return {kColumns, kRows, pack_transposed<A>, pack_straight<A>, multiply_images<A>, multiply_rows<A>};
}

}  // namespace

extern const std::array<DenseKernels, 2> dense_kernels;
#if defined(__AVX512BF16__)
const std::array<DenseKernels, 2> dense_kernels{kernels_of<Floats>(), kernels_of<Pairs>()};
#else
const std::array<DenseKernels, 2> dense_kernels{kernels_of<Floats>(), DenseKernels{}};
#endif

}  // namespace effnetv2::EFFNETV2_CPU_LEVEL
