// What a build without CUDA says.
#include <gtest/gtest.h>

#include "effnetv2/core/error.h"
#include "effnetv2/ops/cuda_device.h"
#include "effnetv2/ops/fused_optimizer.h"

namespace effnetv2 {
namespace {

TEST(CudaStub, SaysWhatIsMissing) {
  if (cuda_kernels_built()) {
    GTEST_SKIP() << "this build has the kernels";
  }
  try {
    cuda::fused_optimizer(UpdateKind::adam, {}, 1, at::kCPU);
    FAIL() << "did not throw";
  } catch (const EnvironmentError& e) {
    EXPECT_NE(std::string(e.what()).find("built without CUDA"), std::string::npos) << e.what();
  }
  EXPECT_THROW(CudaStopwatch(0), EnvironmentError);
  EXPECT_THROW(cuda_peak_bytes(0), EnvironmentError);
}

}  // namespace
}  // namespace effnetv2
