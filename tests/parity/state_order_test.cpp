#include <cstdio>
#include <string>

#include <gtest/gtest.h>

#include "effnetv2/model/efficientnet.h"
#include "effnetv2/weights/state_dict.h"

#include "support/formula.h"
#include "support/golden.h"

namespace effnetv2 {
namespace {

/// "features.0.0.weight [24, 3, 3, 3]", one a tensor.
std::vector<std::string> entries_of(const nlohmann::json& model) {
  const auto network = std::make_shared<EfficientNetImpl>(test::golden_architecture(model));
  std::vector<std::string> entries;
  for (const auto& [name, tensor] : state_dict(*network)) {
    std::string shape;
    for (const std::int64_t size : tensor.sizes()) {
      shape += (shape.empty() ? "" : ", ") + std::to_string(size);
    }
    entries.push_back(name + " [" + shape + "]");
  }
  return entries;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) {
    text += (text.empty() ? "" : "\n") + line;
  }
  return text;
}

TEST(StateOrder, OfASmallNetworkIsTorchvisions) {
  const nlohmann::json golden = test::read_golden("model_state_small");
  EXPECT_EQ(entries_of(golden["model"]), golden["entries"].get<std::vector<std::string>>());
}

TEST(StateOrder, OfSIsTorchvisions) {
  const nlohmann::json golden = test::read_golden("model_state_s");
  const auto entries = entries_of(golden["model"]);
  EXPECT_EQ(entries.size(), golden["count"].get<std::size_t>());
  char hash[17];
  std::snprintf(hash, sizeof hash, "%016llx", static_cast<unsigned long long>(test::name_hash(joined(entries))));
  EXPECT_EQ(hash, golden["hash"].get<std::string>());
}

}  // namespace
}  // namespace effnetv2
