#include "effnetv2/run/out_of_memory.h"

#include <algorithm>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>

#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnetv2/core/error.h"
#include "effnetv2/model/summary.h"
#include "effnetv2/train/optimizer.h"

namespace effnetv2 {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

template <typename Throw>
std::string what_of(const Throw& thrown) {
  try {
    thrown();
  } catch (...) {
    return out_of_memory(std::current_exception());
  }
  return "nothing was thrown";
}

TEST(OutOfMemory, IsKnownByWhatLibTorchSays) {
  EXPECT_THAT(what_of([] { TORCH_CHECK(false, "CUDA out of memory. Tried to allocate 2.00 GiB\nmore"); }),
              AllOf(HasSubstr("Tried to allocate 2.00 GiB"), Not(HasSubstr("\n"))));
  EXPECT_THAT(what_of([] { TORCH_CHECK(false, "DefaultCPUAllocator: can't allocate memory: you tried"); }),
              HasSubstr("can't allocate memory"));
  EXPECT_NE(what_of([] { throw std::bad_alloc(); }), "");
  EXPECT_EQ(what_of([] { TORCH_CHECK(false, "shapes do not match"); }), "");
  EXPECT_EQ(what_of([] { throw EnvironmentError("disk full"); }), "");
  EXPECT_EQ(what_of([] { throw std::runtime_error("out of memory, says somebody else"); }), "");
}

TEST(LargestBatch, IsTheLargestThatTheEstimateAllows) {
  const Summary summary = summarize(architecture(with_defaults({}), 10), 128, 128);
  for (const double memory : {1e9, 8e9, 80e9}) {
    const auto batch = largest_batch_within(memory, summary, 2, true, 2);
    const auto bytes = [&](std::int64_t n) { return estimate_training_bytes(summary, n, 2, true, 2); };
    EXPECT_GT(batch, 0);
    EXPECT_LE(bytes(batch), 0.9 * memory);
    EXPECT_GT(bytes(batch + 1), 0.9 * memory);
  }
  EXPECT_EQ(largest_batch_within(1e6, summary, 2, true, 2), 0);
}

TEST(OutOfMemoryAdvice, NamesABatchThatFits) {
  ExperimentConfig config;
  config.precision = Precision::bf16;
  config.data.image_size = 384;
  config.train.batch_size = 512;
  const Architecture network = architecture(with_defaults({}), 10);
  const Summary summary = summarize(network, 384, 384);
  const auto fits = largest_batch_within(80e9, summary, optimizer_slots(config.train.optimizer), false, 2);
  ASSERT_GT(fits, 0);
  const std::string advice =
      out_of_memory_advice(config, network, 80e9, "CUDA out of memory", "no checkpoint was made yet");
  EXPECT_THAT(advice,
              AllOf(HasSubstr("train.batch_size 512 does not fit"), HasSubstr("no checkpoint was made yet"),
                    HasSubstr("train.batch_size " + std::to_string(std::min<std::int64_t>(fits, 256)) + " does")));
  // one that the estimate thinks small enough was not: less than it is named all the same
  config.train.batch_size = 8;
  EXPECT_THAT(out_of_memory_advice(config, network, 80e9, "", ""), HasSubstr("train.batch_size 4 does"));
  config.train.batch_size = 1;
  EXPECT_THAT(out_of_memory_advice(config, network, 80e9, "", ""), HasSubstr("a smaller data.image_size"));
  config.train.batch_size = 64;
  EXPECT_THAT(out_of_memory_advice(config, network, 1e6, "", ""), HasSubstr("a smaller data.image_size"));
}

}  // namespace
}  // namespace effnetv2
