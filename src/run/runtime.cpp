#include "effnetv2/run/runtime.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <sys/mman.h>
#include <torch/cuda.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "effnetv2/config/config.h"
#include "effnetv2/core/cores.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/torch_compat.h"
#include "effnetv2/ops/cuda_device.h"

namespace effnetv2 {
namespace {

std::string resolve_device(const std::string& device) {
  if (device == "cpu") {
    return device;
  }
  const bool available = torch::cuda::is_available();
  if (device == "auto") {
    return available ? "cuda:0" : "cpu";
  }
  if (!available) {
    throw EnvironmentError(
        "device: \"" + device + "\" was asked for, but " +
        (cuda_kernels_built() ? "no CUDA device answers; check nvidia-smi and the driver"
                              : "this build has no CUDA: scripts/setup.sh --libtorch pip && scripts/build.sh makes one "
                                "that has (docs/cuda.md)") +
        ", or use device cpu");
  }
  const int index = device == "cuda" ? 0 : std::stoi(device.substr(5));
  const auto count = static_cast<int>(torch::cuda::device_count());
  if (index >= count) {
    throw EnvironmentError("device: \"" + device + "\" was asked for, but there are only " + std::to_string(count) +
                           " CUDA devices (cuda:0 ... cuda:" + std::to_string(count - 1) + ")");
  }
  return "cuda:" + std::to_string(index);
}

/// Maps of tens of megabytes come and go at every step; given back to the system each time, their pages would have to
/// be cleared again.
void keep_freed_memory() {
#ifdef __GLIBC__
  constexpr int kLargestFromHeap = 32 << 20;  // glibc's own limit
  ::mallopt(M_MMAP_THRESHOLD, kLargestFromHeap);
  ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#endif
}

/// OpenBLAS asks for its buffers without end where there is no room for them, so they are made while there is.
void make_blas_buffers() {
  static bool made = false;
  if (std::exchange(made, true)) {
    return;
  }
  constexpr std::size_t kRoom = std::size_t{160} << 20;  // one has 128 MiB
  void* room = ::mmap(nullptr, kRoom, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) {
    throw EnvironmentError(
        "out of memory: there is no room for 160 MiB of address space more; raise its limit (ulimit -v)");
  }
  ::munmap(room, kRoom);
  const at::Tensor some = at::ones({128, 128});  // smaller ones need no buffer
  at::mm(some, some);
}

}  // namespace

Precision resolved_precision(const ExperimentConfig& config, Use use) {
  if (config.precision != Precision::automatic) {
    return config.precision;
  }
  return use == Use::training && config.device != "cpu" ? Precision::bf16 : Precision::fp32;
}

ExperimentConfig resolve_runtime(ExperimentConfig config, Use use) {
  config.device = resolve_device(config.device);
  config.precision = resolved_precision(config, use);
  if (!config.threads) {
    config.threads = usable_cores();
  }
  validate(config);  // a rule can turn on what "auto" became
  return config;
}

void apply_runtime(const ExperimentConfig& config) {
  keep_freed_memory();
  at::set_num_threads(static_cast<int>(config.threads.value_or(usable_cores())));
  make_blas_buffers();
  if (config.device == "cpu") {
    return;  // the rest is of cards
  }
  auto& context = at::globalContext();
  set_tf32(config.precision == Precision::tf32);
  context.setBenchmarkCuDNN(!config.deterministic);
  if (config.deterministic) {
    // read by cuBLAS at its first call
    ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
    context.setDeterministicCuDNN(true);
    context.setDeterministicAlgorithms(true, /*warn_only=*/false);
    leave_new_tensors_unfilled();
  }
}

int loader_workers(const DataConfig& config, bool cached) {
  if (config.workers) {
    return static_cast<int>(*config.workers);
  }
  const bool ready = cached && config.augment.flip == 0.0 && !config.augment.random_resized_crop;
  return ready ? 0 : std::clamp(usable_cores(), 1, 8);
}

}  // namespace effnetv2
