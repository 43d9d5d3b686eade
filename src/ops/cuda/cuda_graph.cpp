#include <cstddef>
#include <vector>

#include <ATen/cuda/CUDAEvent.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "effnetv2/ops/step_graph.h"

namespace effnetv2::cuda {
namespace {

class CudaGraph final : public StepGraph {
 public:
  void capture(const std::function<void()>& work) override {
    // what the steps before have left free is no memory of a graph's, and none is given back during a capture
    c10::cuda::getCurrentCUDAStream().synchronize();
    c10::cuda::CUDACachingAllocator::emptyCache();
    // what other threads ask of the card meanwhile, as of pinned memory, is no error of this one
    graph_.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
    try {
      work();
    } catch (...) {
      // the stream has to be let go of; that this fails too is what the first error said
      try {
        graph_.capture_end();
      } catch (const c10::Error&) {
      }
      throw;
    }
    graph_.capture_end();
  }
  void replay() override { graph_.replay(); }

 private:
  at::cuda::CUDAGraph graph_;
};

/// What `to` is asked for from now on waits for what `from` was asked for.
void order(const c10::cuda::CUDAStream& from, const c10::cuda::CUDAStream& to) {
  at::cuda::CUDAEvent done;
  done.record(from);
  done.block(to);
}

}  // namespace

std::unique_ptr<StepGraph> step_graph() {
  return std::make_unique<CudaGraph>();
}

struct CapturableStream::Impl {
  explicit Impl(c10::Device device)
      : before(c10::cuda::getCurrentCUDAStream(device.index())),
        own(c10::cuda::getStreamFromPool(/*isHighPriority=*/true, device.index())),
        guard(own) {}
  c10::cuda::CUDAStream before, own;
  c10::cuda::CUDAStreamGuard guard;
};

CapturableStream::CapturableStream(c10::Device device) : impl_(std::make_unique<Impl>(device)) {
  order(impl_->before, impl_->own);
}
CapturableStream::~CapturableStream() {
  try {
    order(impl_->own, impl_->before);
  } catch (const c10::Error&) {  // the card has failed: whoever works on finds out
  }
}

struct StepQueue::Impl {
  static constexpr std::size_t kAhead = 8;
  std::vector<at::cuda::CUDAEvent> ends;  ///< of the latest steps, the oldest at kAhead behind the newest
  std::size_t next = 0;

  Impl() {
    for (std::size_t i = 0; i < kAhead; ++i) {
      ends.emplace_back(cudaEventDisableTiming | cudaEventBlockingSync);  // other threads read pictures meanwhile
    }
  }
};

StepQueue::StepQueue() : impl_(std::make_unique<Impl>()) {}
StepQueue::~StepQueue() = default;

void StepQueue::end_step() {
  at::cuda::CUDAEvent& end = impl_->ends.at(impl_->next++ % impl_->ends.size());
  end.synchronize();  // of the step that was noted here before
  end.record();
}

}  // namespace effnetv2::cuda
