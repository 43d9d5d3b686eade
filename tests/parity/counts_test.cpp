#include <gtest/gtest.h>

#include "effnetv2/model/summary.h"

#include "support/golden.h"

namespace effnetv2 {
namespace {

void expect_counts(const std::string& golden) {
  for (const auto& entry : test::read_golden(golden)) {
    const Summary summary = summarize(test::golden_architecture(entry["model"]), entry["height"].get<std::int64_t>(),
                                      entry["width"].get<std::int64_t>());
    EXPECT_EQ(summary.parameters, entry["parameters"].get<std::int64_t>()) << entry;
    EXPECT_EQ(summary.macs, entry["macs"].get<std::int64_t>()) << entry;
    EXPECT_EQ(summary.blocks, entry["blocks"].get<std::int64_t>()) << entry;
  }
}

TEST(Counts, OfNamedArchitecturesEqualTorchvisions) {
  expect_counts("count_named");
}

TEST(Counts, OfRandomStageTablesEqualTorchvisions) {
  EXPECT_EQ(test::read_golden("count_random").size(), 50u);
  expect_counts("count_random");
}

}  // namespace
}  // namespace effnetv2
