#include "effnetv2/train/evaluate.h"

#include <chrono>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "effnetv2/core/stop.h"
#include "effnetv2/core/torch_compat.h"

namespace effnetv2 {

Evaluation evaluate(EfficientNetImpl& network, Loader& loader, const InputStage& input, bool bf16,
                    const ProgressFn& progress, bool stoppable) {
  const auto start = std::chrono::steady_clock::now();
  const bool was_training = network.is_training();
  network.eval();
  struct Restore {
    EfficientNetImpl& network;
    bool training;
    ~Restore() { network.train(training); }
  } const restore{network, was_training};

  const c10::InferenceMode inference;
  const auto classes = network.architecture().num_classes;
  const auto device = network.parameters().front().device();
  MetricSums sums;
  at::Tensor hits = at::zeros({classes}, at::TensorOptions().dtype(at::kDouble).device(device));
  at::Tensor counts = at::zeros_like(hits);
  std::int64_t done = 0;
  loader.start(0);
  while (auto batch = loader.next()) {
    if (batch->size == 0) {
      continue;
    }
    const Input data = input(*batch);
    at::Tensor logits;
    {
      const AutocastGuard autocast(device.type(), bf16);
      logits = network.forward(data.images);
    }
    logits = logits.to(at::kFloat);
    sums.add(cross_entropy(logits, data.labels, 0.0), logits, data.labels);
    hits.index_add_(0, data.labels, logits.argmax(1).eq(data.labels).to(at::kDouble));
    counts.index_add_(0, data.labels, at::ones_like(data.labels, at::kDouble));
    done += batch->size;
    if (progress) {
      progress(done, loader.dataset().size());
    }
    if (stoppable && stop_requested()) {
      break;
    }
  }

  Evaluation result;
  result.metrics = sums.result();
  hits = hits.cpu();
  counts = counts.cpu();
  for (std::int64_t label = 0; label < classes; ++label) {
    const double n = counts[label].item<double>();
    result.per_class.push_back({static_cast<std::int64_t>(n), n > 0 ? hits[label].item<double>() / n : 0.0});
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace effnetv2
