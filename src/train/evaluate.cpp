#include "effnetv2/train/evaluate.h"

#include <chrono>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "effnetv2/core/stop.h"

namespace effnetv2 {

namespace {

void append_predictions(const Batch& batch, const at::Tensor& logits, const at::Tensor& labels,
                        std::vector<Prediction>& out) {
  const at::Tensor probabilities = logits.softmax(1);
  const at::Tensor of_label = probabilities.gather(1, labels.unsqueeze(1)).squeeze(1);
  const at::Tensor ranks = label_ranks(logits, labels);
  const at::Tensor whole = at::stack({logits.argmax(1), ranks}).cpu();
  const at::Tensor parts = at::stack({probabilities.amax(1), of_label}).to(at::kDouble).cpu();
  const auto* whole_number = whole.data_ptr<std::int64_t>();
  const auto* part = parts.data_ptr<double>();
  const std::int64_t n = batch.size;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<std::size_t>(i);
    out.push_back({batch.indices[at], batch.labels[at], whole_number[i], whole_number[n + i], part[i], part[n + i]});
  }
}

}  // namespace

Evaluation evaluate(EfficientNetImpl& network, Loader& loader, const InputStage& input,
                    const EvaluationOptions& options, const ProgressFn& progress) {
  const auto start = std::chrono::steady_clock::now();
  const bool was_training = network.is_training();
  network.eval();
  struct Restore {
    EfficientNetImpl& network;
    bool training;
    ~Restore() { network.train(training); }
  } const restore{network, was_training};

  const c10::InferenceMode inference;
  Evaluation result;
  MetricSums sums;
  std::int64_t done = 0;
  loader.start(0);
  while (auto batch = loader.next()) {
    if (batch->size == 0) {
      continue;
    }
    const Input data = input(*batch);
    const at::Tensor logits = network.forward(data.images, nullptr, options.bf16).to(at::kFloat);
    sums.add(cross_entropy(logits, data.labels, 0.0), logits, data.labels);
    if (options.predictions) {
      append_predictions(*batch, logits, data.labels, result.predictions);
    }
    done += batch->size;
    if (progress) {
      progress(done, loader.dataset().size());
    }
    if (options.stoppable && stop_requested()) {
      break;
    }
  }
  result.metrics = sums.result();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace effnetv2
