#pragma once

// Every difference between LibTorch versions (1.13 ... 2.14) stands here and nowhere else.

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <c10/util/Exception.h>
#include <torch/version.h>

#define EFFNETV2_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

namespace effnetv2 {

/// bf16 autocast on `type` while it lives; `enabled` false does nothing.
class AutocastGuard {
 public:
  AutocastGuard(at::DeviceType type, bool enabled) : type_(type), active_(enabled) {
    if (active_) {
      was_ = get();
      set(true);
      at::autocast::increment_nesting();
    }
  }
  ~AutocastGuard() {
    if (active_) {
      if (at::autocast::decrement_nesting() == 0) {
        at::autocast::clear_cache();
      }
      set(was_);
    }
  }
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;

 private:
#if EFFNETV2_TORCH_AT_LEAST(2, 4)
  bool get() const {
    return at::autocast::is_autocast_enabled(type_);
  }
  void set(bool on) const {
    if (on) {
      at::autocast::set_autocast_dtype(type_, at::kBFloat16);
    }
    at::autocast::set_autocast_enabled(type_, on);
  }
#else
  bool get() const {
    return type_ == at::kCUDA ? at::autocast::is_enabled() : at::autocast::is_cpu_enabled();
  }
  void set(bool on) const {
    if (type_ == at::kCUDA) {
      if (on) {
        at::autocast::set_autocast_gpu_dtype(at::kBFloat16);
      }
      at::autocast::set_enabled(on);
    } else {
      if (on) {
        at::autocast::set_autocast_cpu_dtype(at::kBFloat16);
      }
      at::autocast::set_cpu_enabled(on);
    }
  }
#endif
  at::DeviceType type_;
  bool active_;
  bool was_ = false;
};

/// Whether matrix products and convolutions in float32 may take TF32 on a card, in the whole process.
inline void set_tf32(bool on) {
  at::Context& context = at::globalContext();
#if EFFNETV2_TORCH_AT_LEAST(2, 11)
  // the older calls warn that they will go
  const auto precision = on ? at::Float32Precision::TF32 : at::Float32Precision::IEEE;
  for (const auto operation : {at::Float32Op::MATMUL, at::Float32Op::CONV}) {
    context.setFloat32Precision(at::Float32Backend::CUDA, operation, precision);
  }
#else
  context.setAllowTF32CuBLAS(on);
  context.setAllowTF32CuDNN(on);
#endif
}

}  // namespace effnetv2
