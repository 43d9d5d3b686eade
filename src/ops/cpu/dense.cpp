#include "dense.h"

#include <array>
#include <utility>

#include "values.h"

namespace effnetv2::EFFNETV2_CPU_LEVEL {
namespace {

using std::int64_t;

constexpr int kVectors = 2;
constexpr int kColumns = kVectors * kLanes;
/// Accumulators take most of the registers: 12 of 16, or 24 of 32.
constexpr int kRows = kLanes == 16 ? 12 : 6;

struct Floats {
  using Unit = float;
  using Register = Vector;
  using Result = float;
  static constexpr int kWidth = 1;  ///< values of a unit

  static Vector add(Vector sum, Unit value, Register values) { return sum + value * values; }
};

#if defined(__AVX512BF16__)
struct Pairs {
  using Unit = std::uint32_t;
  using Register = IntVector;
  using Result = BFloat16;
  static constexpr int kWidth = 2;

  static Vector add(Vector sum, Unit value, Register values) {
    return same_bits<Vector>(_mm512_dpbf16_ps(same_bits<__m512>(sum), same_bits<__m512bh>(IntVector{} + value),
                                              same_bits<__m512bh>(values)));
  }
  static Unit pair(BFloat16 low, BFloat16 high) { return low.bits | static_cast<Unit>(high.bits) << 16; }
  static Unit pair(float low, float high) {
    BFloat16 halves[2];
    store_value(&halves[0], low);
    store_value(&halves[1], high);
    return pair(halves[0], halves[1]);
  }
};
#endif

template <typename R>
inline R load_register(const void* from) {
  R value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

inline int64_t min(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/// The tile's rows of one panel to `result`, of which `columns` exist.
template <int rows, int vectors, typename T>
inline void store_tile(const Vector (&sum)[rows][vectors], T* result, int64_t stride, int64_t columns) {
  if (columns >= vectors * kLanes) {
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) {
        store_value(result + r * stride + v * kLanes, sum[r][v]);
      }
    }
    return;
  }
  float whole[rows][vectors * kLanes];
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) {
      store(whole[r] + v * kLanes, sum[r][v]);
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < columns; ++j) {
      store_value(result + r * stride + j, whole[r][j]);
    }
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
        weight[v] = load_register<typename A::Register>(w + v * kLanes);
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

template <typename A, int rows, int vectors>
void reduce_tile(const DenseRun* run, const DenseRun* end, const typename A::Unit* row_panel,
                 const typename A::Unit* column_panel, bool first, float* result, int64_t stride, int64_t columns) {
  Vector sum[rows][vectors] = {};
  for (; run != end; ++run) {
    const auto* g = row_panel + run->rows * kRows;
    const auto* x = column_panel + run->columns * kColumns;
    for (int64_t n = 0; n < run->count; ++n) {
      typename A::Register source[vectors];
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) {
        source[v] = load_register<typename A::Register>(x + v * kLanes);
      }
#pragma GCC unroll 12
      for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) {
          sum[r][v] = A::add(sum[r][v], g[r], source[v]);
        }
      }
      g += kRows;
      x += kColumns;
    }
  }
  if (!first) {
    const bool whole = columns >= vectors * kLanes;
    float before[rows][vectors * kLanes] = {};
    for (int r = 0; !whole && r < rows; ++r) {
      for (int64_t j = 0; j < columns; ++j) {
        before[r][j] = result[r * stride + j];
      }
    }
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) {
        sum[r][v] += load<Vector>((whole ? result + r * stride : before[r]) + v * kLanes);
      }
    }
  }
  store_tile(sum, result, stride, columns);
}

template <typename A>
using ReduceTile = void (*)(const DenseRun*, const DenseRun*, const typename A::Unit*, const typename A::Unit*, bool,
                            float*, int64_t, int64_t);
template <typename A, int vectors, int... rows>
constexpr std::array<ReduceTile<A>, sizeof...(rows)> reduce_tiles(std::integer_sequence<int, rows...>) {
  return {reduce_tile<A, rows + 1, vectors>...};
}
template <typename A, int vectors>
constexpr auto kReduceTile = reduce_tiles<A, vectors>(std::make_integer_sequence<int, kRows>());

template <typename A>
void reduce(const DenseReduce& a, int64_t begin, int64_t end, int64_t column_panel) {
  const auto* x = static_cast<const typename A::Unit*>(a.column_panels) + column_panel * a.column_panel_size;
  const int64_t column = column_panel * kColumns;
  const int64_t columns = min(kColumns, a.columns - column);
  const auto& tiles = columns > kLanes ? kReduceTile<A, kVectors> : kReduceTile<A, 1>;
  for (int64_t chunk = 0; chunk < a.chunks; ++chunk) {
    for (int64_t panel = begin; panel < end; ++panel) {
      const auto* g = static_cast<const typename A::Unit*>(a.row_panels) + panel * a.row_panel_size;
      const int64_t row = panel * kRows;
      const int64_t rows = min(kRows, a.rows - row);
      for (int64_t tap = 0; tap < a.taps; ++tap) {
        const int64_t* runs = a.first_run + chunk * a.taps + tap;
        tiles[static_cast<std::size_t>(rows - 1)](a.run + runs[0], a.run + runs[1], g, x, chunk == 0,
                                                  a.result + (row * a.taps + tap) * a.columns + column,
                                                  a.taps * a.columns, columns);
      }
    }
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

/// The first `exist` of `width` channels of one step, then zeros. `second` is the other image of a pair, or null.
template <typename A>
inline void copy_step(const typename A::Result* first, const typename A::Result* second, int64_t exist, int64_t width,
                      typename A::Unit* to) {
  if constexpr (A::kWidth == 1) {
    for (int64_t j = 0; j < exist; ++j) {
      to[j] = first[j];
    }
  } else {
    for (int64_t j = 0; j < exist; ++j) {
      to[j] = A::pair(first[j], second != nullptr ? second[j] : typename A::Result{});
    }
  }
  for (int64_t j = exist; j < width; ++j) {
    to[j] = typename A::Unit{};
  }
}

template <typename A, int width>
void pack_width(const typename A::Result* values, int64_t images, int64_t positions, int64_t channels, int64_t begin,
                int64_t end, typename A::Unit* panels) {
  const int64_t steps = (images + A::kWidth - 1) / A::kWidth;
  const int64_t panel = positions * steps * width;
  for (int64_t step = begin; step < end; ++step) {
    for (int64_t position = 0; position < positions; ++position) {
      const int64_t image = step * A::kWidth;
      const auto* first = values + (image * positions + position) * channels;
      const auto* second = A::kWidth > 1 && image + 1 < images ? first + positions * channels : nullptr;
      auto* to = panels + (position * steps + step) * width;
      int64_t c = 0;
      for (; c + width <= channels; c += width) {
        copy_step<A>(first + c, second != nullptr ? second + c : nullptr, width, width, to);
        to += panel;
      }
      if (c < channels) {
        copy_step<A>(first + c, second != nullptr ? second + c : nullptr, channels - c, width, to);
      }
    }
  }
}

template <typename A>
void pack_channels(const void* values_, int64_t images, int64_t positions, int64_t channels, int64_t width,
                   int64_t begin, int64_t end, void* panels_) {
  const auto* values = static_cast<const typename A::Result*>(values_);
  auto* panels = static_cast<typename A::Unit*>(panels_);
  if (width == kColumns) {
    pack_width<A, kColumns>(values, images, positions, channels, begin, end, panels);
  } else {
    pack_width<A, kRows>(values, images, positions, channels, begin, end, panels);
  }
}

template <typename A>
constexpr DenseKernels kernels_of() {
  return {kColumns,         kRows,    pack_transposed<A>, pack_straight<A>, pack_channels<A>, multiply_images<A>,
          multiply_rows<A>, reduce<A>};
}

}  // namespace

extern const std::array<DenseKernels, 2> dense_kernels;
#if defined(__AVX512BF16__)
const std::array<DenseKernels, 2> dense_kernels{kernels_of<Floats>(), kernels_of<Pairs>()};
#else
const std::array<DenseKernels, 2> dense_kernels{kernels_of<Floats>(), DenseKernels{}};
#endif

}  // namespace effnetv2::EFFNETV2_CPU_LEVEL
