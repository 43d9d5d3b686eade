#include "depthwise.h"

#include <array>

#include "values.h"

namespace effnetv2::EFFNETV2_CPU_LEVEL {
namespace {

using std::int64_t;

/// Distances in floats from one tap to the next.
struct Steps {
  int64_t source_row, source_column;
  int64_t filter_row, filter_column;
};

/// `count` registers of channels at one position of the result.
template <typename T, typename V, int count>
inline void gather_position(int64_t rows, int64_t columns, Steps step, const T* source, const float* filter,
                            T* result) {
  V sum[count] = {};
  for (int64_t i = 0; i < rows; ++i) {
    const T* x = source;
    const float* w = filter;
    for (int64_t j = 0; j < columns; ++j) {
      for (int v = 0; v < count; ++v) {
        sum[v] += load_value<V>(x + v * lanes<V>) * load<V>(w + v * lanes<V>);
      }
      x += step.source_column;
      w += step.filter_column;
    }
    source += step.source_row;
    filter += step.filter_row;
  }
  for (int v = 0; v < count; ++v) {
    store_value(result + v * lanes<V>, sum[v]);
  }
}

/// One register of channels at `count` neighbouring interior positions: each value is loaded once for all of them.
template <typename T, int kernel, int stride, int count>
inline void gather_interior(int64_t rows, Steps step, const T* source, const float* filter, T* result) {
  Vector sum[count] = {};
  for (int64_t i = 0; i < rows; ++i) {
    Vector weight[kernel];
    for (int j = 0; j < kernel; ++j) {
      weight[j] = load<Vector>(filter + j * step.filter_column);
    }
    const T* x = source;
#pragma GCC unroll 16
    for (int at = 0; at < (count - 1) * stride + kernel; ++at) {
      const auto value = load_value<Vector>(x);
#pragma GCC unroll 4
      for (int q = 0; q < count; ++q) {
        if (at >= q * stride && at < q * stride + kernel) {
          sum[q] += weight[at - q * stride] * value;
        }
      }
      x += step.source_column;
    }
    source += step.source_row;
    filter += step.filter_row;
  }
  for (int q = 0; q < count; ++q) {
    store_value(result, sum[q]);
    result += step.source_column;
  }
}

/// `count` registers of channels along one row of the result. Kernel 0: any size, without the interior's shortcut.
template <typename T, typename V, int count, int kernel, int stride>
inline void gather_row(const DepthwiseGather& a, Taps rows, Steps step, const T* source, const float* filter,
                       T* result) {
  const int64_t channels = a.channels;
  const int64_t width = a.width;
  const Interior interior = a.interior;
  filter += rows.tap * a.kernel * channels;
  int64_t column = 0;
  while (column < width) {
    const Taps columns = a.columns[column];
    const T* x = source + columns.source * channels;
    const float* w = filter + columns.tap * channels;
    T* y = result + column * channels;
    if constexpr (kernel != 0) {
      const int64_t left = column >= interior.begin ? interior.end - column : 0;
      if (left >= 4) {
        for (int v = 0; v < count; ++v) {
          gather_interior<T, kernel, stride, 4>(rows.count, step, x + v * kLanes, w + v * kLanes, y + v * kLanes);
        }
        column += 4;
        continue;
      }
      if (left >= 2) {
        for (int v = 0; v < count; ++v) {
          gather_interior<T, kernel, stride, 2>(rows.count, step, x + v * kLanes, w + v * kLanes, y + v * kLanes);
        }
        column += 2;
        continue;
      }
    }
    gather_position<T, V, count>(rows.count, columns.count, step, x, w, y);
    ++column;
  }
}

/// Asks for `count` channels of each of `width` positions, which lie too far apart for the processor to guess.
template <typename T>
inline void prefetch_row(const T* row, int64_t width, int64_t channels, int64_t count) {
  constexpr int64_t kLine = 64 / sizeof(T);
  for (int64_t x = 0; x < width; ++x) {
    for (int64_t c = 0; c < count; c += kLine) {
      __builtin_prefetch(row + x * channels + c);
    }
  }
}

template <typename T, int kernel, int stride>
void gather(const DepthwiseGather& a, int64_t begin, int64_t end) {
  constexpr int kWide = 4;
  const int64_t channels = a.channels;
  const Steps step{a.source_width * channels, channels, a.tap_step * a.kernel * channels, a.tap_step * channels};
  for (int64_t row = begin; row < end; ++row) {
    const Taps rows = a.rows[row % a.height];
    const T* source =
        static_cast<const T*>(a.source) + (row / a.height * a.source_height + rows.source) * a.source_width * channels;
    T* result = static_cast<T*>(a.result) + row * a.width * channels;
    prefetch_row(source + (rows.count + 1) * step.source_row, a.source_width, channels, channels);
    int64_t c = 0;
    for (; c + kWide * kLanes <= channels; c += kWide * kLanes) {
      gather_row<T, Vector, kWide, kernel, stride>(a, rows, step, source + c, a.filter + c, result + c);
    }
    for (; c + kLanes <= channels; c += kLanes) {
      gather_row<T, Vector, 1, kernel, stride>(a, rows, step, source + c, a.filter + c, result + c);
    }
    for (; c < channels; ++c) {
      gather_row<T, float, 1, 0, 0>(a, rows, step, source + c, a.filter + c, result + c);
    }
  }
}

template <typename T>
void gather_any(const DepthwiseGather& a, int64_t begin, int64_t end) {
  if (a.kernel == 3 && a.interior.stride == 1) {
    gather<T, 3, 1>(a, begin, end);
  } else if (a.kernel == 3 && a.interior.stride == 2) {
    gather<T, 3, 2>(a, begin, end);
  } else if (a.kernel == 5 && a.interior.stride == 1) {
    gather<T, 5, 1>(a, begin, end);
  } else if (a.kernel == 5 && a.interior.stride == 2) {
    gather<T, 5, 2>(a, begin, end);
  } else {
    gather<T, 0, 0>(a, begin, end);
  }
}

/// `count` registers of channels at one position of the gradient.
template <typename T, typename V, int count>
inline void reduce_position(int64_t rows, int64_t columns, Steps step, const T* source, const T* grad, float* sums) {
  V g[count];
  for (int v = 0; v < count; ++v) {
    g[v] = load_value<V>(grad + v * lanes<V>);
  }
  for (int64_t i = 0; i < rows; ++i) {
    const T* x = source;
    float* s = sums;
    for (int64_t j = 0; j < columns; ++j) {
      for (int v = 0; v < count; ++v) {
        store(s + v * lanes<V>, load<V>(s + v * lanes<V>) + g[v] * load_value<V>(x + v * lanes<V>));
      }
      x += step.source_column;
      s += step.filter_column;
    }
    source += step.source_row;
    sums += step.filter_row;
  }
}

/// Adds `positions` neighbours' products, each value loaded once, to the sums of one filter row.
template <typename T, int kernel, int stride, int positions, int count>
inline void reduce_neighbours(int64_t channels, const T* source, const T* grad, Vector (&sum)[kernel][count]) {
#pragma GCC unroll 2
  for (int v = 0; v < count; ++v) {
    Vector g[positions];
    for (int q = 0; q < positions; ++q) {
      g[q] = load_value<Vector>(grad + q * channels + v * kLanes);
    }
    const T* x = source + v * kLanes;
#pragma GCC unroll 8
    for (int at = 0; at < (positions - 1) * stride + kernel; ++at) {
      const auto value = load_value<Vector>(x);
#pragma GCC unroll 2
      for (int q = 0; q < positions; ++q) {
        if (at >= q * stride && at < q * stride + kernel) {
          sum[at - q * stride][v] += g[q] * value;
        }
      }
      x += channels;
    }
  }
}

/// `count` registers of channels over a row's interior, filter row by filter row, with the sums in registers.
template <typename T, int kernel, int stride, int count>
inline void reduce_interior(int64_t rows, int64_t positions, Steps step, const T* source, const T* grad, float* sums) {
  const int64_t channels = step.source_column;
  for (int64_t i = 0; i < rows; ++i) {
    Vector sum[kernel][count];
#pragma GCC unroll 8
    for (int j = 0; j < kernel; ++j) {
#pragma GCC unroll 2
      for (int v = 0; v < count; ++v) {
        sum[j][v] = load<Vector>(sums + j * channels + v * kLanes);
      }
    }
    const T* x = source;
    const T* g = grad;
    int64_t left = positions;
    for (; left >= 2; left -= 2) {
      reduce_neighbours<T, kernel, stride, 2, count>(channels, x, g, sum);
      x += 2 * stride * channels;
      g += 2 * channels;
    }
    if (left > 0) {
      reduce_neighbours<T, kernel, stride, 1, count>(channels, x, g, sum);
    }
#pragma GCC unroll 8
    for (int j = 0; j < kernel; ++j) {
#pragma GCC unroll 2
      for (int v = 0; v < count; ++v) {
        store(sums + j * channels + v * kLanes, sum[j][v]);
      }
    }
    source += step.source_row;
    sums += step.filter_row;
  }
}

/// `count` registers of channels along one row of the gradient.
template <typename T, typename V, int count, int kernel, int stride>
inline void reduce_row(const DepthwiseReduce& a, Taps rows, Steps step, const T* source, const T* grad, float* sums) {
  constexpr int64_t kShortest = 2;
  const int64_t channels = a.channels;
  const int64_t width = a.width;
  const Interior interior = a.interior;
  sums += rows.tap * step.filter_row;
  int64_t column = 0;
  while (column < width) {
    const Taps columns = a.columns[column];
    const T* x = source + columns.source * channels;
    const T* g = grad + column * channels;
    if constexpr (kernel != 0) {
      if (column == interior.begin && interior.end - interior.begin >= kShortest) {
        constexpr int pair = count > 1 && kernel == 3 ? 2 : 1;
        for (int v = 0; v < count; v += pair) {
          reduce_interior<T, kernel, stride, pair>(rows.count, interior.end - interior.begin, step, x + v * kLanes,
                                                   g + v * kLanes, sums + v * kLanes);
        }
        column = interior.end;
        continue;
      }
    }
    reduce_position<T, V, count>(rows.count, columns.count, step, x, g, sums + columns.tap * channels);
    ++column;
  }
}

template <typename T, int kernel, int stride>
void reduce(const DepthwiseReduce& a, int64_t begin, int64_t end, int64_t first, int64_t last, float* sums) {
  constexpr int64_t kAhead = 4;  // rows
  constexpr int kWide = 4;
  const int64_t channels = a.channels;
  const Steps step{a.source_width * channels, channels, a.kernel * channels, channels};
  for (int64_t row = begin * a.height; row < end * a.height; ++row) {
    const Taps rows = a.rows[row % a.height];
    const T* source =
        static_cast<const T*>(a.source) + (row / a.height * a.source_height + rows.source) * a.source_width * channels;
    const T* grad = static_cast<const T*>(a.grad) + row * a.width * channels;
    prefetch_row(grad + kAhead * a.width * channels + first, a.width, channels, last - first);
    prefetch_row(source + kAhead * step.source_row + first, a.source_width, channels, last - first);
    int64_t c = first;
    for (; c + kWide * kLanes <= last; c += kWide * kLanes) {
      reduce_row<T, Vector, kWide, kernel, stride>(a, rows, step, source + c, grad + c, sums + c);
    }
    for (; c + kLanes <= last; c += kLanes) {
      reduce_row<T, Vector, 1, kernel, stride>(a, rows, step, source + c, grad + c, sums + c);
    }
    for (; c < last; ++c) {
      reduce_row<T, float, 1, 0, 0>(a, rows, step, source + c, grad + c, sums + c);
    }
  }
}

template <typename T>
void reduce_any(const DepthwiseReduce& a, int64_t begin, int64_t end, int64_t first, int64_t last, float* sums) {
  if (a.kernel == 3 && a.interior.stride == 1) {
    reduce<T, 3, 1>(a, begin, end, first, last, sums);
  } else if (a.kernel == 3 && a.interior.stride == 2) {
    reduce<T, 3, 2>(a, begin, end, first, last, sums);
  } else if (a.kernel == 5 && a.interior.stride == 1) {
    reduce<T, 5, 1>(a, begin, end, first, last, sums);
  } else if (a.kernel == 5 && a.interior.stride == 2) {
    reduce<T, 5, 2>(a, begin, end, first, last, sums);
  } else {
    reduce<T, 0, 0>(a, begin, end, first, last, sums);
  }
}

}  // namespace

extern const std::array<DepthwiseKernels, 2> depthwise_kernels;
const std::array<DepthwiseKernels, 2> depthwise_kernels{
    {{gather_any<float>, reduce_any<float>}, {gather_any<BFloat16>, reduce_any<BFloat16>}}};

}  // namespace effnetv2::EFFNETV2_CPU_LEVEL
