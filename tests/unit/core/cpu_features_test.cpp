#include "effnetv2/core/cpu_features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnetv2/core/error.h"

namespace effnetv2 {
namespace {

TEST(CpuLevel, IsLoweredByNameAndNeverRaised) {
  const CpuLevel detected = detected_cpu_level();
  EXPECT_EQ(cpu_level_from(nullptr), detected);
  EXPECT_EQ(cpu_level_from(""), detected);
  EXPECT_EQ(cpu_level_from("reference"), CpuLevel::reference);
  EXPECT_EQ(cpu_level_from("baseline"), CpuLevel::baseline);
  EXPECT_EQ(cpu_level_from("avx512_bf16"), detected);
  EXPECT_LE(cpu_level_from("avx512"), CpuLevel::avx512);
  EXPECT_LE(cpu_level_from("avx2"), CpuLevel::avx2);
}

TEST(CpuLevel, AnUnknownNameIsRefused) {
  try {
    cpu_level_from("avx9");
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_THAT(e.what(), testing::AllOf(testing::HasSubstr("EFFNETV2_CPU"), testing::HasSubstr("avx9")));
  }
}

TEST(CpuLevel, SupportedOnesEndWithTheDetectedOne) {
  const auto levels = supported_cpu_levels();
  ASSERT_FALSE(levels.empty());
  EXPECT_EQ(levels.front(), CpuLevel::baseline);
  EXPECT_EQ(levels.back(), detected_cpu_level());
  for (const CpuLevel level : levels) {
    EXPECT_EQ(cpu_level_from(to_string(level).c_str()), level);
  }
}

}  // namespace
}  // namespace effnetv2
