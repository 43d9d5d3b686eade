#include "norm_act.h"

#include <array>

#include "values.h"

namespace effnetv2::EFFNETV2_CPU_LEVEL {
namespace {

using std::int64_t;

/// Calls body.operator()<V, rows>(at, c) for every place: `rows` registers, a period apart, from value `at` on, whose
/// channels' numbers stand at c. Numbers are loaded once for several rows.
template <typename Body>
inline void walk(int64_t count, int64_t period, const Body& body) {
  constexpr int kRows = 4;
  int64_t at = 0;
  for (; at + kRows * period <= count; at += kRows * period) {
    for (int64_t c = 0; c < period; c += kLanes) {
      body.template operator()<Vector, kRows>(at + c, c);
    }
  }
  for (; at < count; at += period) {
    const int64_t left = count - at < period ? count - at : period;
    int64_t c = 0;
    for (; c + kLanes <= left; c += kLanes) {
      body.template operator()<Vector, 1>(at + c, c);
    }
    for (; c < left; ++c) {
      body.template operator()<float, 1>(at + c, c);
    }
  }
}

/// What is rounded to bfloat16 afterwards needs no exact sigmoid.
template <typename T>
constexpr bool exact = sizeof(T) == sizeof(float);

template <typename V>
inline void add_to(float* sum, V value) {
  store(sum, load<V>(sum) + value);
}

template <typename V>
inline V silu_slope(V z, V s) {
  return s * (1.0f + z * (1.0f - s));
}

template <typename T>
void moments(const void* x_, int64_t count, int64_t period, const float* origin, float* sum, float* square) {
  const auto* x = static_cast<const T*>(x_);
  walk(count, period, [&]<typename V, int rows>(int64_t at, int64_t c) {
    const auto from = load<V>(origin + c);
    V s{}, q{};
#pragma GCC unroll 4
    for (int r = 0; r < rows; ++r) {
      const V d = load_value<V>(x + at + r * period) - from;
      s += d;
      q += d * d;
    }
    add_to(sum + c, s);
    add_to(square + c, q);
  });
}

template <typename T, bool silu, bool has_residual>
void apply(const NormRows& a, const T* x, float factor, const T* residual, T* y) {
  walk(a.count, a.period, [&]<typename V, int rows>(int64_t at, int64_t c) {
    const auto scale = load<V>(a.scale + c);
    const auto shift = load<V>(a.shift + c);
#pragma GCC unroll 4
    for (int r = 0; r < rows; ++r) {
      const int64_t i = at + r * a.period;
      V z = load_value<V>(x + i) * scale + shift;
      if constexpr (silu) {
        z *= sigmoid<exact<T>>(z);
      }
      if constexpr (has_residual) {
        z = z * factor + load_value<V>(residual + i);
      }
      store_value(y + i, z);
    }
  });
}

template <typename T>
void apply_any(const NormRows& a, const void* x_, float factor, const void* residual_, void* y_) {
  const auto* x = static_cast<const T*>(x_);
  const auto* residual = static_cast<const T*>(residual_);
  auto* y = static_cast<T*>(y_);
  if (a.silu) {
    residual != nullptr ? apply<T, true, true>(a, x, factor, residual, y)
                        : apply<T, true, false>(a, x, factor, residual, y);
  } else {
    residual != nullptr ? apply<T, false, true>(a, x, factor, residual, y)
                        : apply<T, false, false>(a, x, factor, residual, y);
  }
}

/// dy * factor * act'(z)
template <typename T, bool silu, typename V>
inline V behind_activation(V x, V dy, V scale, V shift) {
  if constexpr (silu) {
    const V z = x * scale + shift;
    return dy * silu_slope(z, sigmoid<exact<T>>(z));
  }
  return dy;
}

template <typename T, bool silu>
void grad_sums(const NormRows& a, const T* x, const T* dy, float factor, const float* mean, float* sum,
               float* product) {
  walk(a.count, a.period, [&]<typename V, int rows>(int64_t at, int64_t c) {
    const auto scale = load<V>(a.scale + c);
    const auto shift = load<V>(a.shift + c);
    const auto middle = load<V>(mean + c);
    V s{}, q{};
#pragma GCC unroll 4
    for (int r = 0; r < rows; ++r) {
      const int64_t i = at + r * a.period;
      const auto value = load_value<V>(x + i);
      const V dz = behind_activation<T, silu>(value, load_value<V>(dy + i) * factor, scale, shift);
      s += dz;
      q += dz * (value - middle);
    }
    add_to(sum + c, s);
    add_to(product + c, q);
  });
}

template <typename T>
void grad_sums_any(const NormRows& a, const void* x, const void* dy, float factor, const float* mean, float* sum,
                   float* product) {
  (a.silu ? grad_sums<T, true> : grad_sums<T, false>)(a, static_cast<const T*>(x), static_cast<const T*>(dy), factor,
                                                      mean, sum, product);
}

template <typename T, bool silu>
void grad(const NormRows& a, const T* x, const T* dy, float factor, const NormSlopes& slopes, T* dx) {
  walk(a.count, a.period, [&]<typename V, int rows>(int64_t at, int64_t c) {
    const auto scale = load<V>(a.scale + c);
    const auto shift = load<V>(a.shift + c);
    const auto slope = load<V>(slopes.slope + c);
    const auto slant = load<V>(slopes.slant + c);
    const auto offset = load<V>(slopes.offset + c);
#pragma GCC unroll 4
    for (int r = 0; r < rows; ++r) {
      const int64_t i = at + r * a.period;
      const auto value = load_value<V>(x + i);
      const V dz = behind_activation<T, silu>(value, load_value<V>(dy + i) * factor, scale, shift);
      store_value(dx + i, V(slope * dz - slant * value - offset));
    }
  });
}

template <typename T>
void grad_any(const NormRows& a, const void* x, const void* dy, float factor, const NormSlopes& slopes, void* dx) {
  (a.silu ? grad<T, true> : grad<T, false>)(a, static_cast<const T*>(x), static_cast<const T*>(dy), factor, slopes,
                                            static_cast<T*>(dx));
}

template <typename T>
void pool(const NormRows& a, const void* x_, float* sum) {
  const auto* x = static_cast<const T*>(x_);
  walk(a.count, a.period, [&]<typename V, int rows>(int64_t at, int64_t c) {
    const auto scale = load<V>(a.scale + c);
    const auto shift = load<V>(a.shift + c);
    V s{};
#pragma GCC unroll 4
    for (int r = 0; r < rows; ++r) {
      const V z = load_value<V>(x + at + r * a.period) * scale + shift;
      s += z * sigmoid<exact<T>>(z);
    }
    add_to(sum + c, s);
  });
}

template <typename T>
void gated(const NormRows& a, const void* x_, const float* gate, void* y_) {
  const auto* x = static_cast<const T*>(x_);
  auto* y = static_cast<T*>(y_);
  walk(a.count, a.period, [&]<typename V, int rows>(int64_t at, int64_t c) {
    const auto scale = load<V>(a.scale + c);
    const auto shift = load<V>(a.shift + c);
    const auto g = load<V>(gate + c);
#pragma GCC unroll 4
    for (int r = 0; r < rows; ++r) {
      const V z = load_value<V>(x + at + r * a.period) * scale + shift;
      store_value(y + at + r * a.period, V(z * sigmoid<exact<T>>(z) * g));
    }
  });
}

template <typename T>
void gate_sums(const NormRows& a, const void* x_, const void* dy_, float* sum) {
  const auto* x = static_cast<const T*>(x_);
  const auto* dy = static_cast<const T*>(dy_);
  walk(a.count, a.period, [&]<typename V, int rows>(int64_t at, int64_t c) {
    const auto scale = load<V>(a.scale + c);
    const auto shift = load<V>(a.shift + c);
    V s{};
#pragma GCC unroll 4
    for (int r = 0; r < rows; ++r) {
      const V z = load_value<V>(x + at + r * a.period) * scale + shift;
      s += load_value<V>(dy + at + r * a.period) * z * sigmoid<exact<T>>(z);
    }
    add_to(sum + c, s);
  });
}

template <typename T>
void gated_sums(const NormRows& a, const void* x_, const void* dy_, const float* gate, const float* pooled,
                const float* mean, float* sum, float* product) {
  const auto* x = static_cast<const T*>(x_);
  const auto* dy = static_cast<const T*>(dy_);
  walk(a.count, a.period, [&]<typename V, int rows>(int64_t at, int64_t c) {
    const auto scale = load<V>(a.scale + c);
    const auto shift = load<V>(a.shift + c);
    const auto g = load<V>(gate + c);
    const auto p = load<V>(pooled + c);
    const auto middle = load<V>(mean + c);
    V s{}, q{};
#pragma GCC unroll 4
    for (int r = 0; r < rows; ++r) {
      const int64_t i = at + r * a.period;
      const auto value = load_value<V>(x + i);
      const V dz = behind_activation<T, true>(value, V(load_value<V>(dy + i) * g + p), scale, shift);
      s += dz;
      q += dz * (value - middle);
    }
    add_to(sum + c, s);
    add_to(product + c, q);
  });
}

template <typename T>
void gated_grad(const NormRows& a, const void* x_, const void* dy_, const float* gate, const float* pooled,
                const NormSlopes& slopes, void* dx_) {
  const auto* x = static_cast<const T*>(x_);
  const auto* dy = static_cast<const T*>(dy_);
  auto* dx = static_cast<T*>(dx_);
  walk(a.count, a.period, [&]<typename V, int rows>(int64_t at, int64_t c) {
    const auto scale = load<V>(a.scale + c);
    const auto shift = load<V>(a.shift + c);
    const auto g = load<V>(gate + c);
    const auto p = load<V>(pooled + c);
    const auto slope = load<V>(slopes.slope + c);
    const auto slant = load<V>(slopes.slant + c);
    const auto offset = load<V>(slopes.offset + c);
#pragma GCC unroll 4
    for (int r = 0; r < rows; ++r) {
      const int64_t i = at + r * a.period;
      const auto value = load_value<V>(x + i);
      const V dz = behind_activation<T, true>(value, V(load_value<V>(dy + i) * g + p), scale, shift);
      store_value(dx + i, V(slope * dz - slant * value - offset));
    }
  });
}

template <typename T>
constexpr NormActKernels kernels_of() {
  return {moments<T>, apply_any<T>, grad_sums_any<T>, grad_any<T>,  pool<T>,
          gated<T>,   gate_sums<T>, gated_sums<T>,    gated_grad<T>};
}

}  // namespace

extern const std::array<NormActKernels, 2> norm_act_kernels;
const std::array<NormActKernels, 2> norm_act_kernels{kernels_of<float>(), kernels_of<BFloat16>()};

}  // namespace effnetv2::EFFNETV2_CPU_LEVEL
