#include "effnetv2/ops/step_graph.h"

#include "refuse.h"

namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {

std::unique_ptr<StepGraph> step_graph() {
  refuse_cuda();
}

struct CapturableStream::Impl {};

CapturableStream::CapturableStream(c10::Device) {
  refuse_cuda();
}
CapturableStream::~CapturableStream() = default;

struct StepQueue::Impl {};

StepQueue::StepQueue() {
  refuse_cuda();
}
StepQueue::~StepQueue() = default;
void StepQueue::end_step() {}

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
