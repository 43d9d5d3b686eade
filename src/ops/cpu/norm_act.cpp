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

/// What reaches the activation's output of a layer whose result was only scaled.
struct Scaled {
  float factor;

  template <typename V>
  auto over(int64_t) const {
    return [f = factor](V dy) -> V { return dy * f; };
  }
};

/// And of one whose result was squeezed and excited: through the product, and through the mean below the gate.
struct Gated {
  const float* gate;
  const float* pooled;

  template <typename V>
  auto over(int64_t c) const {
    return [g = load<V>(gate + c), p = load<V>(pooled + c)](V dy) -> V { return dy * g + p; };
  }
};

/// d * act'(x * scale + shift)
template <typename T, bool silu, typename V>
inline V behind_activation(V x, V d, V scale, V shift) {
  if constexpr (silu) {
    const V z = x * scale + shift;
    return d * silu_slope(z, sigmoid<exact<T>>(z));
  }
  return d;
}

template <typename T, bool silu, typename Above>
void sums_behind(const NormRows& a, const T* x, const T* dy, const Above& above, const float* mean, float* sum,
                 float* product) {
  walk(a.count, a.period, [&]<typename V, int rows>(int64_t at, int64_t c) {
    const auto scale = load<V>(a.scale + c);
    const auto shift = load<V>(a.shift + c);
    const auto middle = load<V>(mean + c);
    const auto reaching = above.template over<V>(c);
    V s{}, q{};
#pragma GCC unroll 4
    for (int r = 0; r < rows; ++r) {
      const int64_t i = at + r * a.period;
      const auto value = load_value<V>(x + i);
      const V dz = behind_activation<T, silu>(value, reaching(load_value<V>(dy + i)), scale, shift);
      s += dz;
      q += dz * (value - middle);
    }
    add_to(sum + c, s);
    add_to(product + c, q);
  });
}

template <typename T, bool silu, typename Above>
void grad_behind(const NormRows& a, const T* x, const T* dy, const Above& above, const NormSlopes& slopes, T* dx) {
  walk(a.count, a.period, [&]<typename V, int rows>(int64_t at, int64_t c) {
    const auto scale = load<V>(a.scale + c);
    const auto shift = load<V>(a.shift + c);
    const auto slope = load<V>(slopes.slope + c);
    const auto slant = load<V>(slopes.slant + c);
    const auto offset = load<V>(slopes.offset + c);
    const auto reaching = above.template over<V>(c);
#pragma GCC unroll 4
    for (int r = 0; r < rows; ++r) {
      const int64_t i = at + r * a.period;
      const auto value = load_value<V>(x + i);
      const V dz = behind_activation<T, silu>(value, reaching(load_value<V>(dy + i)), scale, shift);
      store_value(dx + i, V(slope * dz - slant * value - offset));
    }
  });
}

template <typename T>
void grad_sums(const NormRows& a, const void* x, const void* dy, float factor, const float* mean, float* sum,
               float* product) {
  (a.silu ? sums_behind<T, true, Scaled> : sums_behind<T, false, Scaled>)(a, static_cast<const T*>(x),
                                                                          static_cast<const T*>(dy), {factor}, mean,
                                                                          sum, product);
}

template <typename T>
void grad(const NormRows& a, const void* x, const void* dy, float factor, const NormSlopes& slopes, void* dx) {
  (a.silu ? grad_behind<T, true, Scaled> : grad_behind<T, false, Scaled>)(a, static_cast<const T*>(x),
                                                                          static_cast<const T*>(dy), {factor}, slopes,
                                                                          static_cast<T*>(dx));
}

template <typename T>
void gated_sums(const NormRows& a, const void* x, const void* dy, const float* gate, const float* pooled,
                const float* mean, float* sum, float* product) {
  sums_behind<T, true, Gated>(a, static_cast<const T*>(x), static_cast<const T*>(dy), {gate, pooled}, mean, sum,
                              product);
}

template <typename T>
void gated_grad(const NormRows& a, const void* x, const void* dy, const float* gate, const float* pooled,
                const NormSlopes& slopes, void* dx) {
  grad_behind<T, true, Gated>(a, static_cast<const T*>(x), static_cast<const T*>(dy), {gate, pooled}, slopes,
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
constexpr NormActKernels kernels_of() {
  return {moments<T>, apply_any<T>, grad_sums<T>,  grad<T>,      pool<T>,
          gated<T>,   gate_sums<T>, gated_sums<T>, gated_grad<T>};
}

}  // namespace

extern const std::array<NormActKernels, 2> norm_act_kernels;
const std::array<NormActKernels, 2> norm_act_kernels{kernels_of<float>(), kernels_of<BFloat16>()};

}  // namespace effnetv2::EFFNETV2_CPU_LEVEL
