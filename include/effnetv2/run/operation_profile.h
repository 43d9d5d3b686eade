#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace effnetv2 {

/// What one kind of operation took, averaged over steps. Time spent in operations it called is theirs.
struct OperationCost {
  std::string name;           ///< LibTorch's or ours, convolutions with their filter: "aten::convolution_backward 3x3"
  double calls = 0.0;         ///< per step
  double milliseconds = 0.0;  ///< per step
  double flops = 0.0;         ///< per step, of multiplications and additions; 0 where it is not arithmetic that counts
  double bytes = 0.0;         ///< per step, of the tensors read and written, once each
};

/// What the machine reaches on the threads at hand, measured now.
struct Ceilings {
  double flops_per_second = 0.0;       ///< of a large matrix product in float32
  double bf16_flops_per_second = 0.0;  ///< and in bfloat16
  double bytes_per_second = 0.0;       ///< read and written, of a large copy
};

/// Runs `step` `steps` times and says where the time of the calling thread went, the dearest first. For work on the
/// CPU.
std::vector<OperationCost> profile_operations(const std::function<void(std::int64_t)>& step, std::int64_t steps);

/// Times what operations queue on a card.
struct QueueClock {
  std::function<void()> begin;                        ///< right before an operation queues its work
  std::function<void()> end;                          ///< right after
  std::function<std::vector<double>()> milliseconds;  ///< between each begin and its end
};

/// The events of card `device` as a clock. Work is held back until its operation has queued all of it, so that what is
/// timed is the card and not the program.
QueueClock card_clock(int device);

/// Runs `step`, which must queue its operations one by one and not as a graph, `steps` times and says where the card's
/// time went, the dearest first. Time spent in operations that an operation calls is its own. `step_ms`: of a step that
/// is not profiled; what operations do not explain of it is "(between operations)".
std::vector<OperationCost> profile_queued_operations(const std::function<void(std::int64_t)>& step, std::int64_t steps,
                                                     const QueueClock& clock, double step_ms);

/// Of "cpu" or "cuda:N". Takes about a second; on a card also 1.5 GB of it.
Ceilings measure_ceilings(const std::string& device);

/// {"ceilings", "operations": [{"name","calls","ms","share","gflops_per_second","gbytes_per_second",
/// "share_of_ceiling"}]}; share_of_ceiling is the greater of arithmetic's and memory's.
nlohmann::ordered_json to_json(const std::vector<OperationCost>& costs, const Ceilings& ceilings, bool bf16);

}  // namespace effnetv2
