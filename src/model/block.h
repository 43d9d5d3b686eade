#pragma once

#include <memory>

#include <torch/nn/module.h>

#include "effnetv2/model/architecture.h"
#include "effnetv2/model/noise.h"

#include "conv_bn_act.h"

namespace effnetv2 {

/// What MBConv and Fused-MBConv share: a chain of layers under the child "block", and around it the residual with
/// stochastic depth (Huang et al. 2016) in torchvision's "row" mode.
class BlockImpl : public torch::nn::Module {
 public:
  /// [N, in, H, W] -> [N, out, ceil(H / stride), ceil(W / stride)]. In training mode the branch of a sample is left
  /// out with chance spec.drop_rate, by noise's mask, and else scaled by 1 / (1 - drop_rate); noise may be null.
  at::Tensor forward(const at::Tensor& x, Noise* noise);

 protected:
  explicit BlockImpl(const BlockSpec& spec);

  /// The layers, and the residual after the last of them.
  virtual at::Tensor branch(const at::Tensor& x, const Residual& residual) = 0;

  /// Registers the next layer of "block": "0", "1", ...
  template <typename Layer>
  std::shared_ptr<Layer> add_layer(std::shared_ptr<Layer> layer) {
    return chain_->register_module(std::to_string(chain_->children().size()), std::move(layer));
  }

 private:
  BlockSpec spec_;
  std::shared_ptr<torch::nn::Module> chain_;
};

/// The block that spec.kind asks for.
std::shared_ptr<BlockImpl> make_block(const BlockSpec& spec, const NormSpec& norm);

}  // namespace effnetv2
