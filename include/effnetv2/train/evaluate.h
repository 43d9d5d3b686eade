#pragma once

#include <cstdint>
#include <vector>

#include "effnetv2/core/progress.h"
#include "effnetv2/data/loader.h"
#include "effnetv2/model/efficientnet.h"
#include "effnetv2/train/input.h"
#include "effnetv2/train/metrics.h"

namespace effnetv2 {

struct ClassMetrics {
  std::int64_t samples = 0;
  double top1 = 0.0;  ///< [0, 1]; 0 without samples
};

struct Evaluation {
  Metrics metrics;                      ///< plain cross-entropy, whatever label smoothing training used
  std::vector<ClassMetrics> per_class;  ///< by label, num_classes entries
  double seconds = 0.0;
};

/// One pass in eval mode over the loader's epoch 0, every picture exactly once. bf16: under autocast. The network's
/// train/eval mode is as before afterwards. `progress` counts pictures. Ends early, with what it has, if a stop is
/// requested and `stoppable`.
Evaluation evaluate(EfficientNetImpl& network, Loader& loader, const InputStage& input, bool bf16,
                    const ProgressFn& progress = {}, bool stoppable = false);

}  // namespace effnetv2
