#pragma once

#include <exception>
#include <string>

#include "effnetv2/config/experiment_config.h"
#include "effnetv2/model/architecture.h"

namespace effnetv2 {

/// What `thrown` says of it in a line if memory has run out, of the process or of a card; else "".
std::string out_of_memory(const std::exception_ptr& thrown);

/// The most bytes that training on config.device could have; 0 if that cannot be told.
double memory_of_device(const ExperimentConfig& config);

/// The error for a training that `memory` bytes are too few for: it names the batch size that would fit, by estimate.
/// config: resolved. what: of out_of_memory(). kept: what the run has already, in words.
std::string out_of_memory_advice(const ExperimentConfig& config, const Architecture& network, double memory,
                                 const std::string& what, const std::string& kept);

}  // namespace effnetv2
