#include "filter_grad.h"

#include <array>
#include <utility>

#include "tile.h"

namespace effnetv2::EFFNETV2_CPU_LEVEL {
namespace {

/// The source's channels of one step: a value, or a pair of positions `step` values apart, `count` channels of them.
template <int vectors>
inline void load_step(const float* x, int64_t /*step*/, int64_t count, bool /*pair*/, Vector (&to)[vectors]) {
#pragma GCC unroll 2
  for (int v = 0; v < vectors; ++v) {
    to[v] = load_some(x + v * kLanes, count - v * kLanes);
  }
}

#if defined(__AVX512BF16__)
using Halves [[gnu::vector_size(64)]] = std::uint16_t;
/// The first 16 values of two registers in turns.
constexpr Halves kInTurns = {0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
                             8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47};

template <int vectors>
inline void load_step(const BFloat16* x, int64_t step, int64_t count, bool pair, IntVector (&to)[vectors]) {
  const auto exist = static_cast<__mmask32>(count >= 32 ? 0xffffffffu : (1u << count) - 1u);
  const __m512i first = _mm512_maskz_loadu_epi16(exist, x);
  const __m512i second = pair ? _mm512_maskz_loadu_epi16(exist, x + step) : __m512i{};
#pragma GCC unroll 2
  for (int v = 0; v < vectors; ++v) {
    const Halves order = kInTurns + static_cast<std::uint16_t>(v * kLanes);
    to[v] = same_bits<IntVector>(_mm512_permutex2var_epi16(first, same_bits<__m512i>(order), second));
  }
}
#endif

/// Steps that memory is asked for in advance: a panel's channels lie too far apart for the processor to guess.
constexpr int64_t kAhead = 16;

template <typename A, int rows, int vectors>
void reduce_tile(const FilterGradRun* run, const FilterGradRun* end, const typename A::Unit* grad,
                 const typename A::Result* source, int64_t source_step, bool first, float* result, int64_t stride,
                 int64_t columns) {
  Vector sum[rows][vectors] = {};
  const auto add = [&](const typename A::Unit* g, const typename A::Result* x, bool pair) {
    typename A::Register values[vectors];
    for (int64_t n = 0; n < A::kWidth; ++n) {
      __builtin_prefetch(x + (kAhead * A::kWidth + n) * source_step);
    }
    load_step(x, source_step, columns, pair, values);
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) {
        sum[r][v] = A::add(sum[r][v], g[r], values[v]);
      }
    }
  };
  for (; run != end; ++run) {
    const auto* g = grad + run->step * kRows;
    const auto* x = source + run->source;
    for (int64_t n = 0; n < run->count / A::kWidth; ++n) {
      add(g, x, true);
      g += kRows;
      x += A::kWidth * source_step;
    }
    if (run->count % A::kWidth != 0) {
      add(g, x, false);
    }
  }
  if (!first) {
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) {
        sum[r][v] += load_some(result + r * stride + v * kLanes, columns - v * kLanes);
      }
    }
  }
  store_tile(sum, result, stride, columns);
}

/// By the number of rows, from 1 on; of one register across where no more columns are left, else of two.
template <typename A>
using ReduceTile = void (*)(const FilterGradRun*, const FilterGradRun*, const typename A::Unit*,
                            const typename A::Result*, int64_t, bool, float*, int64_t, int64_t);
template <typename A, int vectors, int... rows>
constexpr std::array<ReduceTile<A>, sizeof...(rows)> reduce_tiles(std::integer_sequence<int, rows...>) {
  return {reduce_tile<A, rows + 1, vectors>...};
}
template <typename A, int vectors>
constexpr auto kReduceTile = reduce_tiles<A, vectors>(std::make_integer_sequence<int, kRows>());

/// `rows` channels of each position, from `grad` on; what follows them in a step is never used.
void put_together(const FilterGradLine& line, const float* grad, int64_t step, int64_t rows, float* to) {
  const float* from = grad + line.grad;
  to += line.step * kRows;
  for (int64_t n = 0; n < line.count; ++n) {
    for (int64_t r = 0; r < rows; ++r) {
      to[r] = from[r];
    }
    from += step;
    to += kRows;
  }
}

#if defined(__AVX512BF16__)
/// In pairs. Each store reaches over what the next one brings.
void put_together(const FilterGradLine& line, const BFloat16* grad, int64_t step, int64_t rows, std::uint32_t* to) {
  const BFloat16* from = grad + line.grad;
  to += line.step * kRows;
  const auto exist = static_cast<__mmask16>((1u << rows) - 1u);
  const auto load = [exist](const BFloat16* x) { return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(exist, x)); };
  for (int64_t n = 0; n < line.count; n += 2) {
    __m512i pairs = load(from);
    if (n + 1 < line.count) {
      pairs = _mm512_or_si512(pairs, _mm512_slli_epi32(load(from + step), 16));
    }
    _mm512_storeu_si512(to, pairs);
    __builtin_prefetch(from + 2 * kAhead * step);
    __builtin_prefetch(from + (2 * kAhead + 1) * step);
    from += 2 * step;
    to += kRows;
  }
}
#endif

template <typename A>
void reduce(const FilterGrad& a, int64_t row_begin, int64_t row_end, int64_t column_begin, int64_t column_end,
            void* scratch) {
  const auto* grad = static_cast<const typename A::Result*>(a.grad);
  const auto* source = static_cast<const typename A::Result*>(a.source);
  auto* together = static_cast<typename A::Unit*>(scratch);
  for (int64_t chunk = 0; chunk < a.chunks; ++chunk) {
    for (int64_t row = row_begin * kRows; row < min(a.rows, row_end * kRows); row += kRows) {
      const int64_t rows = min(kRows, a.rows - row);
      for (int64_t line = a.first_line[chunk]; line < a.first_line[chunk + 1]; ++line) {
        put_together(a.line[line], grad + row, a.grad_step, rows, together);
      }
      for (int64_t column = column_begin * kColumns; column < min(a.columns, column_end * kColumns);
           column += kColumns) {
        const int64_t columns = min(kColumns, a.columns - column);
        const auto& tiles = columns > kLanes ? kReduceTile<A, kVectors> : kReduceTile<A, 1>;
        for (int64_t tap = 0; tap < a.taps; ++tap) {
          const int64_t* runs = a.first_run + chunk * a.taps + tap;
          tiles[static_cast<std::size_t>(rows - 1)](
              a.run + runs[0], a.run + runs[1], together, source + column, a.source_step, chunk == 0,
              a.result + (row * a.taps + tap) * a.columns + column, a.taps * a.columns, columns);
        }
      }
    }
  }
}

template <typename A>
constexpr FilterGradKernels kernels_of() {
  return {kColumns, kRows, kRows * sizeof(typename A::Unit), 4 * sizeof(typename A::Unit), reduce<A>};
}

}  // namespace

extern const std::array<FilterGradKernels, 2> filter_grad_kernels;
#if defined(__AVX512BF16__)
const std::array<FilterGradKernels, 2> filter_grad_kernels{kernels_of<Floats>(), kernels_of<Pairs>()};
#else
const std::array<FilterGradKernels, 2> filter_grad_kernels{kernels_of<Floats>(), FilterGradKernels{}};
#endif

}  // namespace effnetv2::EFFNETV2_CPU_LEVEL
