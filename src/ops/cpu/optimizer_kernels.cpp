#include "effnetv2/ops/optimizer_kernels.h"

#include <math.h>

// Included headers must define no functions: an inline one compiled here for a wide instruction set could be the
// copy that the linker keeps for everybody.

namespace effnetv2::EFFNETV2_CPU_LEVEL {
namespace {

void adam(const UpdateRule& rule, const UpdateSlice& slice) {
  const auto step_size = static_cast<float>(rule.step_size);
  const auto shrink = static_cast<float>(rule.shrink);
  const auto l2 = static_cast<float>(rule.l2);
  const auto keep1 = static_cast<float>(rule.beta1);
  const auto take1 = static_cast<float>(1.0 - rule.beta1);
  const auto keep2 = static_cast<float>(rule.beta2);
  const auto take2 = static_cast<float>(1.0 - rule.beta2);
  const auto correction = static_cast<float>(rule.correction);
  const auto eps = static_cast<float>(rule.eps);
  float* __restrict value = slice.value;
  const float* __restrict grad = slice.grad;
  float* __restrict exp_avg = slice.first;
  float* __restrict exp_avg_sq = slice.second;
  for (std::int64_t i = 0; i < slice.size; ++i) {
    const float p = value[i] * shrink;
    const float g = grad[i] + l2 * p;
    const float m = keep1 * exp_avg[i] + take1 * g;
    const float v = keep2 * exp_avg_sq[i] + take2 * (g * g);
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    value[i] = p - step_size * (m / (sqrtf(v) * correction + eps));
  }
}

void sgd(const UpdateRule& rule, const UpdateSlice& slice) {
  const auto step_size = static_cast<float>(rule.step_size);
  const auto l2 = static_cast<float>(rule.l2);
  float* __restrict value = slice.value;
  const float* __restrict grad = slice.grad;
  for (std::int64_t i = 0; i < slice.size; ++i) {
    value[i] -= step_size * (grad[i] + l2 * value[i]);
  }
}

void sgd_momentum(const UpdateRule& rule, const UpdateSlice& slice) {
  const auto step_size = static_cast<float>(rule.step_size);
  const auto l2 = static_cast<float>(rule.l2);
  const auto momentum = static_cast<float>(rule.momentum);
  // the direction is look_ahead * buffer + now * gradient
  const float look_ahead = rule.nesterov ? momentum : 1.0f;
  const float now = rule.nesterov ? 1.0f : 0.0f;
  float* __restrict value = slice.value;
  const float* __restrict grad = slice.grad;
  float* __restrict buffer = slice.first;
  for (std::int64_t i = 0; i < slice.size; ++i) {
    const float g = grad[i] + l2 * value[i];
    const float b = momentum * buffer[i] + g;
    buffer[i] = b;
    value[i] -= step_size * (look_ahead * b + now * g);
  }
}

void rmsprop(const UpdateRule& rule, const UpdateSlice& slice) {
  const auto step_size = static_cast<float>(rule.step_size);
  const auto l2 = static_cast<float>(rule.l2);
  const auto keep = static_cast<float>(rule.beta2);
  const auto take = static_cast<float>(1.0 - rule.beta2);
  const auto eps = static_cast<float>(rule.eps);
  float* __restrict value = slice.value;
  const float* __restrict grad = slice.grad;
  float* __restrict square_avg = slice.first;
  for (std::int64_t i = 0; i < slice.size; ++i) {
    const float g = grad[i] + l2 * value[i];
    const float v = keep * square_avg[i] + take * (g * g);
    square_avg[i] = v;
    value[i] -= step_size * (g / (sqrtf(v) + eps));
  }
}

void rmsprop_momentum(const UpdateRule& rule, const UpdateSlice& slice) {
  const auto step_size = static_cast<float>(rule.step_size);
  const auto l2 = static_cast<float>(rule.l2);
  const auto keep = static_cast<float>(rule.beta2);
  const auto take = static_cast<float>(1.0 - rule.beta2);
  const auto eps = static_cast<float>(rule.eps);
  const auto momentum = static_cast<float>(rule.momentum);
  float* __restrict value = slice.value;
  const float* __restrict grad = slice.grad;
  float* __restrict square_avg = slice.first;
  float* __restrict buffer = slice.second;
  for (std::int64_t i = 0; i < slice.size; ++i) {
    const float g = grad[i] + l2 * value[i];
    const float v = keep * square_avg[i] + take * (g * g);
    const float b = momentum * buffer[i] + g / (sqrtf(v) + eps);
    square_avg[i] = v;
    buffer[i] = b;
    value[i] -= step_size * b;
  }
}

void lerp(float* __restrict average, const float* __restrict value, double weight, std::int64_t size) {
  const auto w = static_cast<float>(weight);
  for (std::int64_t i = 0; i < size; ++i) {
    average[i] += w * (value[i] - average[i]);
  }
}

double sum_of_squares(const float* values, std::int64_t size) {
  constexpr int kLanes = 32;
  double lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const double x = values[i + lane];
      lanes[lane] += x * x;  // the square is exact, so a fused multiply-add gives the same
    }
  }
  for (int lane = 0; i < size; ++i, ++lane) {
    const double x = values[i];
    lanes[lane] += x * x;
  }
  double sum = 0.0;
  for (const double lane : lanes) {
    sum += lane;
  }
  return sum;
}

}  // namespace

extern const OptimizerKernels kOptimizerKernels;
const OptimizerKernels kOptimizerKernels{{adam, sgd, sgd_momentum, rmsprop, rmsprop_momentum}, lerp, sum_of_squares};

}  // namespace effnetv2::EFFNETV2_CPU_LEVEL
