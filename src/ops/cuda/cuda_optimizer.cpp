#include "effnetv2/ops/cuda_optimizer.h"

#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "update_kernel.h"

namespace effnetv2 {
namespace {

static_assert(static_cast<int>(UpdateKind::adam) == static_cast<int>(cuda::Rule::adam) &&
              static_cast<int>(UpdateKind::rmsprop_momentum) == static_cast<int>(cuda::Rule::rmsprop_momentum));

cuda::UpdateArguments shared_numbers(const UpdateRule& rule) {
  cuda::UpdateArguments arguments{};
  arguments.keep1 = static_cast<float>(rule.beta1);
  arguments.take1 = static_cast<float>(1.0 - rule.beta1);
  arguments.keep2 = static_cast<float>(rule.beta2);
  arguments.take2 = static_cast<float>(1.0 - rule.beta2);
  arguments.eps = static_cast<float>(rule.eps);
  arguments.momentum = static_cast<float>(rule.momentum);
  arguments.nesterov = rule.nesterov;
  return arguments;
}

cuda::Entry entry(const CudaUpdate& update) {
  const auto& [rule, slice] = update;
  return {slice.value,
          slice.grad,
          slice.first,
          slice.second,
          slice.size,
          static_cast<float>(rule.step_size),
          static_cast<float>(rule.shrink),
          static_cast<float>(rule.l2),
          static_cast<float>(rule.correction)};
}

}  // namespace

void cuda_update(UpdateKind kind, std::span<const CudaUpdate> updates, int device) {
  if (updates.empty()) {
    return;
  }
  const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(device));
  const auto stream = c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device));
  cuda::UpdateArguments arguments = shared_numbers(updates.front().rule);
  const auto launch = [&] {
    if (arguments.count > 0) {
      C10_CUDA_CHECK(cuda::launch_update(static_cast<cuda::Rule>(kind), arguments, stream.stream()));
      arguments.count = 0;
    }
  };
  for (const auto& update : updates) {
    if (update.slice.size == 0) {
      continue;
    }
    const auto blocks = static_cast<std::int32_t>((update.slice.size + cuda::kChunk - 1) / cuda::kChunk);
    arguments.entries[arguments.count] = entry(update);
    arguments.first_block[arguments.count + 1] = arguments.first_block[arguments.count] + blocks;
    if (++arguments.count == cuda::kEntries) {
      launch();
    }
  }
  launch();
}

}  // namespace effnetv2
