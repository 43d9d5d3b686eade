#include "effnetv2/train/metrics.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

namespace effnetv2 {

at::Tensor label_ranks(const at::Tensor& logits, const at::Tensor& labels) {
  const at::Tensor column = labels.unsqueeze(1);
  const at::Tensor own = logits.gather(1, column);
  const at::Tensor index = at::arange(logits.size(1), labels.options()).unsqueeze(0);
  // "not at most" is true for NaN on either side
  const at::Tensor before = logits.le(own).logical_not_().logical_or_(logits.eq(own).logical_and_(index.lt(column)));
  return before.sum(1);
}

at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& labels, double label_smoothing) {
  return at::cross_entropy_loss(logits.to(at::kFloat), labels, /*weight=*/{}, at::Reduction::Mean,
                                /*ignore_index=*/-100, label_smoothing);
}

void MetricSums::add(const at::Tensor& loss, const at::Tensor& logits, const at::Tensor& labels) {
  const torch::NoGradGuard no_grad;
  const std::int64_t n = logits.size(0);
  if (n == 0) {
    return;
  }
  const auto options = loss.options().dtype(at::kDouble).requires_grad(false);
  const at::Tensor ranks = label_ranks(logits, labels);
  const at::Tensor top1 = ranks.lt(1).sum().to(at::kDouble);
  const at::Tensor top5 = logits.size(1) < 6 ? at::full({}, n, options) : ranks.lt(5).sum().to(at::kDouble);
  const at::Tensor batch = at::stack({loss.detach().to(at::kDouble) * n, top1, top5, at::full({}, n, options)});
  sums_ = sums_.defined() ? sums_.to(batch.device()) : at::zeros_like(batch);
  sums_.add_(batch);
}

void MetricSums::reset() {
  if (sums_.defined()) {
    sums_.zero_();
  }
}

Metrics MetricSums::result() const {
  if (!sums_.defined()) {
    return {};
  }
  const at::Tensor sums = state();
  const double* sum = sums.data_ptr<double>();
  if (sum[3] == 0.0) {
    return {};
  }
  return {sum[0] / sum[3], sum[1] / sum[3], sum[2] / sum[3], static_cast<std::int64_t>(sum[3])};
}

at::Tensor MetricSums::state() const {
  return sums_.defined() ? sums_.cpu().clone() : at::zeros({4}, at::kDouble);
}

void MetricSums::load_state(const at::Tensor& state) {
  sums_ = state.to(at::kCPU, at::kDouble).clone();
}

}  // namespace effnetv2
