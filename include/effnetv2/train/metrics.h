#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace effnetv2 {

/// Mean cross-entropy over the batch with label smoothing, as torch.nn.CrossEntropyLoss; logits may be bf16 (computed
/// in fp32).
at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& labels, double label_smoothing);

/// How many classes stand before each label, int64 [N], for logits [N, C]: those with a greater logit and, of equal
/// ones, those with a lower index, as argmax chooses. NaN stands before every number, and a label whose own logit is
/// NaN is last.
at::Tensor label_ranks(const at::Tensor& logits, const at::Tensor& labels);

/// Means over samples.
struct Metrics {
  double loss = 0.0;
  double top1 = 0.0;  ///< [0, 1]
  double top5 = 0.0;  ///< [0, 1]; 1 with fewer than six classes
  std::int64_t samples = 0;
};

/// Sums loss and hits over batches, float64, on the device, without synchronising until result(), in one place there
/// from the first add() on. A picture is a top-k hit if its label's rank is below k.
class MetricSums {
 public:
  /// loss: the mean over this batch, scalar; logits [N, C]; labels int64 [N].
  void add(const at::Tensor& loss, const at::Tensor& logits, const at::Tensor& labels);
  /// Back to nothing, in the same place.
  void reset();
  Metrics result() const;
  /// For checkpoints in mid-epoch: float64 [4] on the CPU: loss sum, top-1 hits, top-5 hits, samples.
  at::Tensor state() const;
  void load_state(const at::Tensor& state);

 private:
  at::Tensor sums_;
};

}  // namespace effnetv2
