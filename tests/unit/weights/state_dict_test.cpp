#include "effnetv2/weights/state_dict.h"

#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include "effnetv2/core/error.h"

namespace effnetv2 {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

struct Block : torch::nn::Module {
  Block(std::int64_t in, std::int64_t out) {
    register_module("0", torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 3).bias(false)));
    register_module("1", torch::nn::BatchNorm2d(out));
  }
};

struct Net : torch::nn::Module {
  explicit Net(std::int64_t classes = 5) {
    register_module("features", std::make_shared<Block>(3, 4));
    register_module("classifier", torch::nn::Linear(4, classes));
    register_buffer("own_buffer", at::arange(3));
    register_parameter("own", at::ones({2}));
  }
};

std::vector<std::string> names_of(const NamedTensors& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) {
    names.push_back(name);
  }
  return names;
}

NamedTensors copies(const torch::nn::Module& module) {
  NamedTensors result;
  for (const auto& [name, tensor] : state_dict(module)) {
    result.emplace_back(name, tensor.detach().clone());
  }
  return result;
}

std::string refusal(torch::nn::Module& module, const NamedTensors& source) {
  const NamedTensors before = copies(module);
  std::string message;
  try {
    load_state_dict(module, source, "weights.safetensors");
    ADD_FAILURE() << "not refused";
  } catch (const CheckpointError& e) {
    message = e.what();
  }
  const NamedTensors after = state_dict(module);
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_TRUE(at::equal(before[i].second, after[i].second)) << before[i].first << " was changed";
  }
  EXPECT_THAT(message, testing::StartsWith("weights.safetensors: "));
  return message;
}

TEST(StateDict, IsInTorchvisionsOrder) {
  const Net net;
  EXPECT_THAT(names_of(state_dict(net)),
              ElementsAre("own", "own_buffer", "features.0.weight", "features.1.weight", "features.1.bias",
                          "features.1.running_mean", "features.1.running_var", "features.1.num_batches_tracked",
                          "classifier.weight", "classifier.bias"));
  const auto counter = state_dict(net)[7].second;
  EXPECT_EQ(counter.scalar_type(), at::kLong);
  EXPECT_EQ(counter.dim(), 0);
}

TEST(StateDict, Aliases) {
  Net net;
  for (const auto& [name, tensor] : state_dict(net)) {
    tensor.detach().fill_(7);
  }
  for (const auto& parameter : net.parameters()) {
    EXPECT_TRUE(parameter.eq(7).all().item<bool>());
  }
}

TEST(LoadStateDict, CopiesInAnyOrderAndConvertsWithinAKind) {
  Net from, to;
  for (const auto& [name, tensor] : state_dict(from)) {
    tensor.detach().fill_(static_cast<double>(name.size()));
  }
  NamedTensors source = copies(from);
  std::reverse(source.begin(), source.end());
  for (auto& [name, tensor] : source) {
    tensor = tensor.to(tensor.is_floating_point() ? at::kBFloat16 : at::kInt);
  }
  load_state_dict(to, source, "x");
  const NamedTensors expected = state_dict(from), got = state_dict(to);
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_TRUE(at::equal(got[i].second, expected[i].second)) << got[i].first;
    EXPECT_EQ(got[i].second.scalar_type(), expected[i].second.scalar_type());
    EXPECT_EQ(got[i].second.requires_grad(), expected[i].second.requires_grad());
  }
}

TEST(LoadStateDict, KeepsTheModulesStrides) {
  Net from, to;
  for (auto& item : to.named_parameters()) {
    if (item.value().dim() == 4) {
      item.value().set_data(item.value().contiguous(at::MemoryFormat::ChannelsLast));
    }
  }
  load_state_dict(to, copies(from), "x");
  const at::Tensor weight = to.named_parameters()["features.0.weight"];
  EXPECT_TRUE(weight.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_FALSE(weight.is_contiguous());
  EXPECT_TRUE(at::equal(weight, from.named_parameters()["features.0.weight"]));
}

TEST(LoadStateDict, ListsEveryDifferenceAtOnceAndCopiesNothing) {
  Net net;
  NamedTensors source = copies(Net(7));
  source.erase(source.begin() + 2);
  source.emplace_back("head.weight", at::ones({1}));
  source.emplace_back("own", at::ones({2}));
  for (auto& [name, tensor] : source) {
    if (name == "features.1.num_batches_tracked") {
      tensor = tensor.to(at::kFloat);
    }
  }
  EXPECT_THAT(
      refusal(net, source),
      AllOf(HasSubstr("missing (1): features.0.weight"), HasSubstr("unexpected (1): head.weight"),
            HasSubstr("repeated (1): own"), HasSubstr("other shape (2): classifier.weight has [7, 4], expected [5, 4]"),
            HasSubstr("classifier.bias has [7], expected [5]"),
            HasSubstr("(1): features.1.num_batches_tracked is floating, expected integer")));
}

TEST(LoadStateDict, AShapeOfAsManyElementsIsStillAnother) {
  Net net;
  NamedTensors source = copies(net);
  source[0].second = at::ones({2, 1});
  EXPECT_THAT(refusal(net, source), HasSubstr("own has [2, 1], expected [2]"));
  source[0].second = at::ones({});
  EXPECT_THAT(refusal(net, source), HasSubstr("own has [], expected [2]"));
}

TEST(LoadStateDict, LongListsAreCutAndCounted) {
  Net net;
  NamedTensors source;
  for (int i = 0; i < 25; ++i) {
    source.emplace_back("extra." + std::to_string(i), at::ones({1}));
  }
  EXPECT_THAT(refusal(net, source),
              AllOf(HasSubstr("missing (10): own, own_buffer"), HasSubstr("unexpected (25): extra.0"),
                    HasSubstr("extra.9 and 15 more"), Not(HasSubstr("extra.10"))));
}

TEST(LoadStateDict, BoolsAreAKindOfTheirOwn) {
  const NamedTensors target{{"mask", at::zeros({2}, at::kBool)}};
  EXPECT_THROW(copy_tensors(target, {{"mask", at::ones({2}, at::kLong)}}, "x"), CheckpointError);
  copy_tensors(target, {{"mask", at::ones({2}, at::kBool)}}, "x");
  EXPECT_TRUE(target[0].second.all().item<bool>());
}

}  // namespace
}  // namespace effnetv2
