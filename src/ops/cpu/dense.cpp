#include "dense.h"

#include "vector.h"

namespace effnetv2::EFFNETV2_CPU_LEVEL {
namespace {

using std::int64_t;

constexpr int kVectors = 2;
constexpr int kColumns = kVectors * kLanes;
/// Accumulators take most of the registers: 12 of 16, or 24 of 32.
constexpr int kRows = kLanes == 16 ? 12 : 6;

inline int64_t min(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/// The tile's rows of one panel to `result`, of which `columns` exist.
template <int rows>
inline void store_tile(const Vector (&sum)[rows][kVectors], float* result, int64_t stride, int64_t columns) {
  if (columns >= kColumns) {
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) {
      store(result + r * stride, sum[r][0]);
      store(result + r * stride + kLanes, sum[r][1]);
    }
    return;
  }
  float whole[rows][kColumns];
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r) {
    store(whole[r], sum[r][0]);
    store(whole[r] + kLanes, sum[r][1]);
  }
  for (int r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < columns; ++j) {
      result[r * stride + j] = whole[r][j];
    }
  }
}

template <int rows>
void multiply_tile(const DenseMultiply& a, const DensePosition& position, const float* source, const float* panel,
                   const float* bias, float* result, int64_t columns) {
  const int64_t depth = a.depth;
  const int64_t stride = a.source_image;
  Vector sum[rows][kVectors];
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r) {
    sum[r][0] = load<Vector>(bias);
    sum[r][1] = load<Vector>(bias + kLanes);
  }
  const DenseTap* tap = a.tap + position.first;
  for (int64_t i = 0; i < position.count; ++i) {
    const float* x = source + tap[i].source;
    const float* w = panel + tap[i].panel;
    for (int64_t k = 0; k < depth; ++k) {
      const auto w0 = load<Vector>(w);
      const auto w1 = load<Vector>(w + kLanes);
#pragma GCC unroll 12
      for (int r = 0; r < rows; ++r) {
        const float value = x[r * stride];
        sum[r][0] += value * w0;
        sum[r][1] += value * w1;
      }
      ++x;
      w += kColumns;
    }
  }
  store_tile<rows>(sum, result, a.result_image, columns);
}

using MultiplyTile = void (*)(const DenseMultiply&, const DensePosition&, const float*, const float*, const float*,
                              float*, int64_t);
constexpr MultiplyTile kMultiplyTile[] = {
    nullptr,          multiply_tile<1>, multiply_tile<2>, multiply_tile<3>,  multiply_tile<4>,  multiply_tile<5>,
    multiply_tile<6>,
#if defined(__AVX512F__)
    multiply_tile<7>, multiply_tile<8>, multiply_tile<9>, multiply_tile<10>, multiply_tile<11>, multiply_tile<12>,
#endif
};

void multiply(const DenseMultiply& a, int64_t begin, int64_t end, int64_t index) {
  const float* panel = a.panels + index * a.panel_size;
  const int64_t first = index * kColumns;
  const int64_t columns = min(kColumns, a.columns - first);
  float bias[kColumns] = {};
  if (a.bias != nullptr) {
    for (int64_t j = 0; j < columns; ++j) {
      bias[j] = a.bias[first + j];
    }
  }
  int64_t rows = 0;
  for (int64_t image = begin; image < end; image += rows) {
    const int64_t left = end - image;
    // a short last tile leaves the multipliers idle: share out what is left
    rows = left >= kRows + kRows / 2 ? kRows : left > kRows ? (left + 1) / 2 : left;
    const float* source = a.source + image * a.source_image;
    float* result = a.result + image * a.result_image + first;
    for (int64_t p = 0; p < a.positions; ++p) {
      kMultiplyTile[rows](a, a.position[p], source, panel, bias, result + a.position[p].result, columns);
    }
  }
}

template <int rows>
void reduce_tile(const DenseRun* run, const DenseRun* end, const float* row_panel, const float* column_panel,
                 bool first, float* result, int64_t stride, int64_t columns) {
  Vector sum[rows][kVectors] = {};
  for (; run != end; ++run) {
    const float* g = row_panel + run->rows * kRows;
    const float* x = column_panel + run->columns * kColumns;
    for (int64_t n = 0; n < run->count; ++n) {
      const auto x0 = load<Vector>(x);
      const auto x1 = load<Vector>(x + kLanes);
#pragma GCC unroll 12
      for (int r = 0; r < rows; ++r) {
        sum[r][0] += g[r] * x0;
        sum[r][1] += g[r] * x1;
      }
      g += kRows;
      x += kColumns;
    }
  }
  if (!first) {
    if (columns >= kColumns) {
#pragma GCC unroll 12
      for (int r = 0; r < rows; ++r) {
        sum[r][0] += load<Vector>(result + r * stride);
        sum[r][1] += load<Vector>(result + r * stride + kLanes);
      }
    } else {
      float before[rows][kColumns] = {};
      for (int r = 0; r < rows; ++r) {
        for (int64_t j = 0; j < columns; ++j) {
          before[r][j] = result[r * stride + j];
        }
      }
#pragma GCC unroll 12
      for (int r = 0; r < rows; ++r) {
        sum[r][0] += load<Vector>(before[r]);
        sum[r][1] += load<Vector>(before[r] + kLanes);
      }
    }
  }
  store_tile<rows>(sum, result, stride, columns);
}

using ReduceTile = void (*)(const DenseRun*, const DenseRun*, const float*, const float*, bool, float*, int64_t,
                            int64_t);
constexpr ReduceTile kReduceTile[] = {
    nullptr,        reduce_tile<1>, reduce_tile<2>, reduce_tile<3>,  reduce_tile<4>,  reduce_tile<5>,  reduce_tile<6>,
#if defined(__AVX512F__)
    reduce_tile<7>, reduce_tile<8>, reduce_tile<9>, reduce_tile<10>, reduce_tile<11>, reduce_tile<12>,
#endif
};

void reduce(const DenseReduce& a, int64_t row_panel, int64_t column_panel) {
  const float* g = a.row_panels + row_panel * a.row_panel_size;
  const float* x = a.column_panels + column_panel * a.column_panel_size;
  const int64_t row = row_panel * kRows;
  const int64_t column = column_panel * kColumns;
  const int64_t rows = min(kRows, a.rows - row);
  for (int64_t chunk = 0; chunk < a.chunks; ++chunk) {
    for (int64_t tap = 0; tap < a.taps; ++tap) {
      const int64_t* runs = a.first_run + chunk * a.taps + tap;
      kReduceTile[rows](a.run + runs[0], a.run + runs[1], g, x, chunk == 0,
                        a.result + (row * a.taps + tap) * a.columns + column, a.taps * a.columns,
                        min(kColumns, a.columns - column));
    }
  }
}

void pack_transposed(const float* filter, int64_t depth, int64_t columns, int64_t first, float* panel) {
  for (int64_t j = 0; j < kColumns; ++j) {
    if (first + j < columns) {
      const float* from = filter + (first + j) * depth;
      for (int64_t k = 0; k < depth; ++k) {
        panel[k * kColumns + j] = from[k];
      }
    } else {
      for (int64_t k = 0; k < depth; ++k) {
        panel[k * kColumns + j] = 0.0f;
      }
    }
  }
}

/// The first `exist` of `width` floats, then zeros.
inline void copy_columns(const float* from, int64_t exist, int64_t width, float* to) {
  for (int64_t j = 0; j < exist; ++j) {
    to[j] = from[j];
  }
  for (int64_t j = exist; j < width; ++j) {
    to[j] = 0.0f;
  }
}

void pack_straight(const float* filter, int64_t depth, int64_t taps, int64_t columns, int64_t first, float* panel) {
  const int64_t exist = min(kColumns, columns - first);
  for (int64_t tap = 0; tap < taps; ++tap) {
    for (int64_t k = 0; k < depth; ++k) {
      const float* from = filter + (k * taps + tap) * columns + first;
      float* to = panel + (tap * depth + k) * kColumns;
      if (exist == kColumns) {
        copy_columns(from, kColumns, kColumns, to);
      } else {
        copy_columns(from, exist, kColumns, to);
      }
    }
  }
}

template <int width>
void pack_width(const float* values, int64_t images, int64_t positions, int64_t channels, int64_t begin, int64_t end,
                float* panels) {
  const int64_t panel = positions * images * width;
  for (int64_t image = begin; image < end; ++image) {
    for (int64_t position = 0; position < positions; ++position) {
      const float* from = values + (image * positions + position) * channels;
      float* to = panels + (position * images + image) * width;
      int64_t c = 0;
      for (; c + width <= channels; c += width) {
        copy_columns(from + c, width, width, to);
        to += panel;
      }
      if (c < channels) {
        copy_columns(from + c, channels - c, width, to);
      }
    }
  }
}

void pack_channels(const float* values, int64_t images, int64_t positions, int64_t channels, int64_t width,
                   int64_t begin, int64_t end, float* panels) {
  if (width == kColumns) {
    pack_width<kColumns>(values, images, positions, channels, begin, end, panels);
  } else {
    pack_width<kRows>(values, images, positions, channels, begin, end, panels);
  }
}

}  // namespace

extern const DenseKernels dense_kernels;
const DenseKernels dense_kernels{kColumns, kRows, pack_transposed, pack_straight, pack_channels, multiply, reduce};

}  // namespace effnetv2::EFFNETV2_CPU_LEVEL
