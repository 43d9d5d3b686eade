#pragma once

#include "effnetv2/core/cpu_features.h"

// EFFNETV2_LEVEL_KERNELS(Type, kernels), inside namespace effnetv2: what src/<room>/cpu/*.cpp define under that name
// once per instruction set, as a function `const Type& kernels_at(CpuLevel)`.

#define EFFNETV2_KERNELS_OF(level, Type, kernels) \
  namespace level {                               \
  extern const Type kernels;                      \
  }

#ifdef __x86_64__
#define EFFNETV2_LEVEL_KERNELS(Type, kernels)       \
  EFFNETV2_KERNELS_OF(baseline, Type, kernels)      \
  EFFNETV2_KERNELS_OF(avx2, Type, kernels)          \
  EFFNETV2_KERNELS_OF(avx512, Type, kernels)        \
  EFFNETV2_KERNELS_OF(avx512_bf16, Type, kernels)   \
  namespace {                                       \
  inline const Type& kernels##_at(CpuLevel level) { \
    switch (level) {                                \
      case CpuLevel::avx512_bf16:                   \
        return avx512_bf16::kernels;                \
      case CpuLevel::avx512:                        \
        return avx512::kernels;                     \
      case CpuLevel::avx2:                          \
        return avx2::kernels;                       \
      case CpuLevel::baseline:                      \
      case CpuLevel::reference:                     \
        break;                                      \
    }                                               \
    return baseline::kernels;                       \
  }                                                 \
  }
#else
#define EFFNETV2_LEVEL_KERNELS(Type, kernels)  \
  EFFNETV2_KERNELS_OF(baseline, Type, kernels) \
  namespace {                                  \
  inline const Type& kernels##_at(CpuLevel) {  \
    return baseline::kernels;                  \
  }                                            \
  }
#endif
