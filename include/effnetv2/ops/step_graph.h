#pragma once

#include <functional>
#include <memory>

#include <c10/core/Device.h>

#include "effnetv2/ops/cuda_namespace.h"

namespace effnetv2 {

/// Work of a card that is recorded once and repeated with one call. Its tensors keep their places: what it reads is
/// written there before each replay.
class StepGraph {
 public:
  StepGraph() = default;
  virtual ~StepGraph() = default;
  StepGraph(const StepGraph&) = delete;
  StepGraph& operator=(const StepGraph&) = delete;

  /// Calls `work` once; what it asks of the card is recorded and not done. It must not wait for the card. Once.
  /// \throws c10::Error if the card cannot record it; nothing of it is done then
  virtual void capture(const std::function<void()>& work) = 0;
  /// Does it, behind what was asked of the card before; does not wait.
  virtual void replay() = 0;
};
using MakeStepGraph = std::function<std::unique_ptr<StepGraph>()>;

namespace EFFNETV2_CUDA_NAMESPACE {

/// A CUDA graph with memory of its own, on the current card.
/// \throws EnvironmentError where the CUDA kernels were not built, as the next
std::unique_ptr<StepGraph> step_graph();

/// While it lives, the thread's work on a card goes to a stream that can be captured; the default one cannot. Work
/// before and after it is kept in order.
class CapturableStream {
 public:
  explicit CapturableStream(c10::Device device);
  ~CapturableStream();
  CapturableStream(const CapturableStream&) = delete;
  CapturableStream& operator=(const CapturableStream&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Keeps the host from running far ahead of a card, which would hold what every step in between was sent: a picture's
/// way into the card's memory leads through memory of the host that cannot be swapped out.
class StepQueue {
 public:
  StepQueue();
  ~StepQueue();
  StepQueue(const StepQueue&) = delete;
  StepQueue& operator=(const StepQueue&) = delete;

  /// All of a step has been asked of the current stream. Waits until the card has done the one eight steps before,
  /// so that it is never without work.
  void end_step();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace EFFNETV2_CUDA_NAMESPACE

}  // namespace effnetv2
