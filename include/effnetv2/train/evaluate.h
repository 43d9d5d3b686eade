#pragma once

#include <cstdint>
#include <vector>

#include "effnetv2/core/progress.h"
#include "effnetv2/data/loader.h"
#include "effnetv2/model/efficientnet.h"
#include "effnetv2/train/input.h"
#include "effnetv2/train/metrics.h"

namespace effnetv2 {

/// What a network says of one picture whose class is known.
struct Prediction {
  std::int64_t index = 0;          ///< into the data set
  std::int64_t label = 0;          ///< the picture's class
  std::int64_t predicted = 0;      ///< the class of the greatest logit
  std::int64_t rank = 0;           ///< classes that stand before the label, as MetricSums counts; 0: a top-1 hit
  double probability = 0.0;        ///< softmax of the predicted class
  double label_probability = 0.0;  ///< and of the label
};

struct Evaluation {
  Metrics metrics;                      ///< plain cross-entropy, whatever label smoothing training used
  std::vector<Prediction> predictions;  ///< one for each picture, in the loader's order, where they were asked for
  double seconds = 0.0;
};

/// How a pass is made and what is kept of it.
struct EvaluationOptions {
  bool bf16 = false;         ///< as EfficientNetImpl::forward()
  bool stoppable = false;    ///< end early, with what there is, if a stop is requested
  bool predictions = false;  ///< keep each picture's
};

/// One pass in eval mode over the loader's epoch 0, every picture exactly once. The network's train/eval mode is as
/// before afterwards. `progress` counts pictures.
Evaluation evaluate(EfficientNetImpl& network, Loader& loader, const InputStage& input,
                    const EvaluationOptions& options, const ProgressFn& progress = {});

}  // namespace effnetv2
