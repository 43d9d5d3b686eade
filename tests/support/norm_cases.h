#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <ostream>
#include <vector>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "effnetv2/ops/norm_act.h"

#include "support/convolution.h"

// norm_act() and norm_act_excite() beside their twins, wherever they run.
namespace effnetv2::test::norm_cases {

enum class Kind { plain, silu, residual, silu_residual, dropped_rows, excite };

struct Case {
  std::int64_t images, channels, height, width;
  Kind kind;
  at::ScalarType dtype = at::kFloat;
};

inline std::ostream& operator<<(std::ostream& out, const Case& c) {
  static constexpr const char* kKinds[] = {"plain", "silu", "residual", "silu_residual", "dropped_rows", "excite"};
  return out << "N" << c.images << "_C" << c.channels << "_" << c.height << "x" << c.width << "_"
             << kKinds[static_cast<int>(c.kind)] << (c.dtype == at::kFloat ? "" : "_bf16");
}

/// Everything that goes in, drawn anew from one seed.
struct Inputs {
  at::Tensor x, dy;
  Norm norm;
  Excite excite;
  Residual residual;
  Activation activation;

  explicit Inputs(const Case& c) {
    at::manual_seed(7);
    const std::vector<std::int64_t> sizes{c.images, c.channels, c.height, c.width};
    // a channel far from 0 must not lose its variance
    x = channels_last(at::randn(sizes) * 2.0 + 5.0 * at::randn({1, c.channels, 1, 1})).to(c.dtype);
    dy = channels_last(at::randn(sizes)).to(c.dtype);
    norm = {at::rand({c.channels}) + 0.5,
            at::randn({c.channels}),
            at::randn({c.channels}),
            at::rand({c.channels}),
            1e-3,
            0.1};
    activation = c.kind == Kind::silu || c.kind == Kind::silu_residual || c.kind == Kind::excite ? Activation::silu
                                                                                                 : Activation::none;
    if (c.kind == Kind::residual || c.kind == Kind::silu_residual || c.kind == Kind::dropped_rows) {
      residual.x = channels_last(at::randn(sizes)).to(c.dtype);
    }
    if (c.kind == Kind::dropped_rows) {
      residual.keep = (at::rand({c.images}) < 0.6).to(at::kFloat);
      residual.scale = 1.25;
    }
    const std::int64_t squeezed = std::max<std::int64_t>(1, c.channels / 4);
    excite = {at::randn({squeezed, c.channels, 1, 1}) / std::sqrt(static_cast<double>(c.channels)),
              at::randn({squeezed}), at::randn({c.channels, squeezed, 1, 1}), at::randn({c.channels})};
  }

  /// The leaves of the gradient.
  std::vector<at::Tensor*> leaves(Kind kind) {
    std::vector<at::Tensor*> all{&x, &norm.weight, &norm.bias};
    if (residual.x.defined()) {
      all.push_back(&residual.x);
    }
    if (kind == Kind::excite) {
      for (auto* one : {&excite.squeeze_weight, &excite.squeeze_bias, &excite.excite_weight, &excite.excite_bias}) {
        all.push_back(one);
      }
    }
    return all;
  }

  Inputs in_float64() const {
    Inputs exact = *this;
    for (auto* one : {&exact.x, &exact.dy, &exact.norm.weight, &exact.norm.bias, &exact.norm.running_mean,
                      &exact.norm.running_var, &exact.residual.x, &exact.residual.keep, &exact.excite.squeeze_weight,
                      &exact.excite.squeeze_bias, &exact.excite.excite_weight, &exact.excite.excite_bias}) {
      if (one->defined()) {
        *one = one->to(at::kDouble);
      }
    }
    return exact;
  }
};

using Operation = std::function<at::Tensor(const Inputs&)>;

/// The result, the running statistics, and the gradients of all leaves.
inline std::vector<at::Tensor> step(Inputs inputs, Kind kind, const Operation& operation) {
  inputs.norm.running_mean = inputs.norm.running_mean.clone();
  inputs.norm.running_var = inputs.norm.running_var.clone();
  std::vector<at::Tensor> leaves;
  for (at::Tensor* leaf : inputs.leaves(kind)) {
    *leaf = leaf->detach().requires_grad_();
    leaves.push_back(*leaf);
  }
  const at::Tensor y = operation(inputs);
  std::vector<at::Tensor> results{y.detach(), inputs.norm.running_mean, inputs.norm.running_var};
  for (const at::Tensor& grad : torch::autograd::grad({y}, leaves, {inputs.dy})) {
    results.push_back(grad);
  }
  return results;
}

inline Operation twin(Kind kind, bool training) {
  return [=](const Inputs& in) {
    return kind == Kind::excite ? reference_norm_act_excite(in.x, in.norm, in.excite, training)
                                : reference_norm_act(in.x, in.norm, in.activation, in.residual, training);
  };
}

inline std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    for (const auto kind :
         {Kind::plain, Kind::silu, Kind::residual, Kind::silu_residual, Kind::dropped_rows, Kind::excite}) {
      all.push_back({2, 24, 16, 16, kind, dtype});
      all.push_back({33, 256, 1, 1, kind, dtype});
      all.push_back({3, 17, 5, 7, kind, dtype});
      all.push_back({2, 1, 1, 3, kind, dtype});
      all.push_back({5, 96, 3, 3, kind, dtype});
    }
    all.push_back({16, 48, 40, 40, Kind::silu, dtype});
    all.push_back({16, 48, 40, 40, Kind::excite, dtype});
  }
  return all;
}

}  // namespace effnetv2::test::norm_cases
