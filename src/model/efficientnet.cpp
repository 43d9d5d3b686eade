#include "effnetv2/model/efficientnet.h"

#include <string>

#include <ATen/ops/linear.h>
#include <torch/types.h>

#include "block.h"
#include "conv_bn_act.h"

namespace effnetv2 {
namespace {

/// A module that only gives its children their names.
std::shared_ptr<torch::nn::Module> add_container(torch::nn::Module& parent, const std::string& name) {
  return parent.register_module(name, std::make_shared<torch::nn::Module>());
}

at::Tensor drop_units(const at::Tensor& x, double rate, Noise& noise) {
  const at::Tensor keep = noise.keep_units(x.size(0), x.size(1), rate, x.device());
  return x * (keep * (1.0 / (1.0 - rate))).to(x.scalar_type());
}

}  // namespace

EfficientNetImpl::EfficientNetImpl(const Architecture& spec) : architecture_(spec) {
  const NormSpec norm{spec.bn_eps, spec.bn_momentum};
  features_ = add_container(*this, "features");
  stem_ = features_->register_module(
      "0",
      std::make_shared<ConvBnActImpl>(ConvSpec{3, spec.stem_channels, 3, spec.stem_stride}, norm, Activation::silu));
  std::int64_t channels = spec.stem_channels;
  for (const auto& blocks : spec.stages) {
    const auto stage = add_container(*features_, std::to_string(features_->children().size()));
    for (const BlockSpec& block : blocks) {
      blocks_.push_back(stage->register_module(std::to_string(stage->children().size()), make_block(block, norm)));
      channels = block.out_channels;
    }
  }
  head_ = features_->register_module(
      std::to_string(features_->children().size()),
      std::make_shared<ConvBnActImpl>(ConvSpec{channels, spec.head_channels}, norm, Activation::silu));

  const auto linear = add_container(*add_container(*this, "classifier"), "1");
  classifier_weight_ = linear->register_parameter("weight", torch::zeros({spec.num_classes, spec.head_channels}));
  classifier_bias_ = linear->register_parameter("bias", torch::zeros({spec.num_classes}));
}

void EfficientNetImpl::freeze(std::int64_t features) {
  frozen_ = features;
  std::int64_t index = 0;
  for (const auto& child : features_->children()) {
    const bool learns = index++ >= frozen_;
    for (at::Tensor& parameter : child->parameters()) {
      parameter.set_requires_grad(learns);
      if (!learns) {
        parameter.mutable_grad().reset();
      }
    }
  }
  train(is_training());
}

void EfficientNetImpl::train(bool on) {
  Module::train(on);
  const auto children = features_->children();
  for (std::int64_t i = 0; i < frozen_; ++i) {
    children.at(static_cast<std::size_t>(i))->eval();
  }
}

void EfficientNetImpl::hold_weights() {
  for (const auto& module : features_->modules(/*include_self=*/false)) {
    if (auto* layer = module->as<Conv2dImpl>()) {
      layer->hold_weight();
    }
  }
}

torch::Tensor EfficientNetImpl::forward(torch::Tensor x, Noise* noise, bool bf16) {
  if (bf16) {
    x = x.to(at::kBFloat16);  // and the layers go on in it
  }
  x = stem_->forward(x);
  for (const auto& block : blocks_) {
    x = block->forward(x, noise);
  }
  x = head_->forward(x);
  x = bf16 ? x.mean({2, 3}, /*keepdim=*/false, at::kFloat) : x.mean({2, 3});
  if (noise != nullptr && is_training() && architecture_.dropout > 0.0) {
    x = drop_units(x, architecture_.dropout, *noise);
  }
  return at::linear(x, classifier_weight_, classifier_bias_);
}

}  // namespace effnetv2
