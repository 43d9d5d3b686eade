#include "effnetv2/weights/state_dict.h"

#include <sstream>
#include <unordered_map>
#include <unordered_set>

#include <ATen/ATen.h>
#include <torch/utils.h>

#include "effnetv2/core/error.h"

namespace effnetv2 {
namespace {

void collect(const torch::nn::Module& module, const std::string& prefix, NamedTensors& out) {
  for (const auto& item : module.named_parameters(/*recurse=*/false)) {
    out.emplace_back(prefix + item.key(), item.value());
  }
  for (const auto& item : module.named_buffers(/*recurse=*/false)) {
    out.emplace_back(prefix + item.key(), item.value());
  }
  for (const auto& item : module.named_children()) {
    collect(*item.value(), prefix + item.key() + ".", out);
  }
}

std::string shape_text(const at::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.sizes();
  return text.str();
}

/// Differences of one kind, and the line that reports them.
class Differences {
 public:
  explicit Differences(std::string title) : title_(std::move(title)) {}

  void add(const std::string& what) {
    if (++count_ <= kShown) {
      shown_ += (count_ == 1 ? "" : ", ") + what;
    }
  }
  std::string line() const {
    if (count_ == 0) {
      return "";
    }
    const std::string more = count_ > kShown ? " and " + std::to_string(count_ - kShown) + " more" : "";
    return "\n  " + title_ + " (" + std::to_string(count_) + "): " + shown_ + more;
  }

 private:
  static constexpr std::int64_t kShown = 10;
  std::string title_, shown_;
  std::int64_t count_ = 0;
};

const char* kind_of(const at::Tensor& tensor) {
  return tensor.is_floating_point() ? "floating" : tensor.scalar_type() == at::kBool ? "bool" : "integer";
}

}  // namespace

NamedTensors state_dict(const torch::nn::Module& module) {
  NamedTensors tensors;
  collect(module, "", tensors);
  return tensors;
}

void copy_tensors(const NamedTensors& target, const NamedTensors& source, const std::string& where) {
  Differences missing("missing"), unexpected("unexpected"), repeated("repeated"), shape("other shape"),
      kind("other kind of number");
  std::unordered_map<std::string, at::Tensor> by_name;
  for (const auto& [name, tensor] : source) {
    if (!by_name.emplace(name, tensor).second) {
      repeated.add(name);
    }
  }
  std::unordered_set<std::string> wanted;
  for (const auto& [name, tensor] : target) {
    wanted.insert(name);
    const auto found = by_name.find(name);
    if (found == by_name.end()) {
      missing.add(name);
    } else if (found->second.sizes() != tensor.sizes()) {
      shape.add(name + " has " + shape_text(found->second) + ", expected " + shape_text(tensor));
    } else if (std::string_view(kind_of(found->second)) != kind_of(tensor)) {
      kind.add(name + " is " + kind_of(found->second) + ", expected " + kind_of(tensor));
    }
  }
  for (const auto& [name, tensor] : source) {
    if (!wanted.contains(name)) {
      unexpected.add(name);
    }
  }
  const std::string lines = missing.line() + unexpected.line() + repeated.line() + shape.line() + kind.line();
  if (!lines.empty()) {
    throw CheckpointError(where + ": the tensors do not fit; were they saved with other settings?" + lines);
  }
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : target) {
    tensor.copy_(by_name.at(name));
  }
}

void load_state_dict(torch::nn::Module& module, const NamedTensors& source, const std::string& where) {
  copy_tensors(state_dict(module), source, where);
}

}  // namespace effnetv2
