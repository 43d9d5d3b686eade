#include "effnetv2/ops/optimizer_kernels.h"

#include <ATen/ATen.h>

#include "effnetv2/core/level_kernels.h"

namespace effnetv2 {

EFFNETV2_LEVEL_KERNELS(OptimizerKernels, kOptimizerKernels)

const OptimizerKernels& optimizer_kernels(CpuLevel level) {
  return kOptimizerKernels_at(level);
}

int update_slots(UpdateKind kind) {
  switch (kind) {
    case UpdateKind::sgd:
      return 0;
    case UpdateKind::sgd_momentum:
    case UpdateKind::rmsprop:
      return 1;
    case UpdateKind::adam:
    case UpdateKind::rmsprop_momentum:
      break;
  }
  return 2;
}

void reference_update(UpdateKind kind, const UpdateRule& rule, const at::Tensor& value, const at::Tensor& grad,
                      const at::Tensor& first, const at::Tensor& second) {
  if (rule.shrink != 1.0) {
    value.mul_(rule.shrink);
  }
  const at::Tensor g = rule.l2 != 0.0 ? grad.add(value, rule.l2) : grad;
  switch (kind) {
    case UpdateKind::adam: {
      first.mul_(rule.beta1).add_(g, 1.0 - rule.beta1);
      second.mul_(rule.beta2).addcmul_(g, g, 1.0 - rule.beta2);
      value.addcdiv_(first, second.sqrt().mul_(rule.correction).add_(rule.eps), -rule.step_size);
      break;
    }
    case UpdateKind::sgd:
      value.add_(g, -rule.step_size);
      break;
    case UpdateKind::sgd_momentum:
      first.mul_(rule.momentum).add_(g);
      value.add_(rule.nesterov ? g.add(first, rule.momentum) : first, -rule.step_size);
      break;
    case UpdateKind::rmsprop:
    case UpdateKind::rmsprop_momentum: {
      first.mul_(rule.beta2).addcmul_(g, g, 1.0 - rule.beta2);
      const at::Tensor scale = first.sqrt().add_(rule.eps);
      if (kind == UpdateKind::rmsprop) {
        value.addcdiv_(g, scale, -rule.step_size);
      } else {
        second.mul_(rule.momentum).addcdiv_(g, scale);
        value.add_(second, -rule.step_size);
      }
      break;
    }
  }
}

void reference_lerp(const at::Tensor& average, const at::Tensor& value, double weight) {
  average.add_(value - average, weight);
}

}  // namespace effnetv2
