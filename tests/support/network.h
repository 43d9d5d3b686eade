#pragma once

#include <memory>

#include <torch/types.h>

#include "effnetv2/model/efficientnet.h"

#include "support/formula.h"

namespace effnetv2::test {

/// In which number format and memory layout a network answers.
struct Form {
  at::ScalarType dtype = at::kFloat;
  at::MemoryFormat layout = at::MemoryFormat::Contiguous;
};

inline at::Tensor in_form(const at::Tensor& x, const Form& form) {
  return x.to(form.dtype).contiguous(form.layout);
}

/// A network with the formula's weights.
inline std::shared_ptr<EfficientNetImpl> formula_network(const Architecture& architecture, const Form& form = {}) {
  auto network = std::make_shared<EfficientNetImpl>(architecture);
  fill_with_formula(*network);
  network->to(form.dtype);
  for (at::Tensor& parameter : network->parameters()) {
    if (parameter.dim() == 4) {
      parameter.set_data(parameter.contiguous(form.layout));
    }
  }
  return network;
}

}  // namespace effnetv2::test
