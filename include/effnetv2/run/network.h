#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "effnetv2/config/experiment_config.h"
#include "effnetv2/core/log.h"
#include "effnetv2/model/efficientnet.h"
#include "effnetv2/weights/safetensors.h"

namespace effnetv2 {

/// The network of a resolved config (num_classes set), drawn from config.seed, on its device, weights in channels_last.
std::shared_ptr<EfficientNetImpl> build_network(const ExperimentConfig& config);

/// Loads config.model.weights, if any, into a fresh network: strict, but a classifier of another class count stays as
/// drawn, which `log` is told.
void load_initial_weights(EfficientNetImpl& network, const ExperimentConfig& config, Log& log);

/// Weights alone, torchvision's names; metadata: class names. Equal weights give equal files.
void save_weights(const std::filesystem::path& path, const EfficientNetImpl& network,
                  const std::vector<std::string>& classes);

/// Loads what save_weights wrote, strictly.
void load_weights(EfficientNetImpl& network, const std::filesystem::path& path);

}  // namespace effnetv2
