#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "effnetv2/config/experiment_config.h"
#include "effnetv2/model/efficientnet.h"
#include "effnetv2/weights/weights_file.h"

namespace effnetv2 {

/// The network of a resolved config (num_classes set), drawn from config.seed, on its device, weights in channels_last.
std::shared_ptr<EfficientNetImpl> build_network(const ExperimentConfig& config);

/// The file that model.weights stands for: itself, or the best weights of a run. Throws CheckpointError, naming the
/// key, if it is not there.
std::filesystem::path initial_weights(const std::string& path);

/// Loads config.model.weights, if any, into a fresh network: strict, but a classifier of another class count stays as
/// drawn. `classes` are the data's. Says what was loaded and what became of the classifier; "" without weights.
std::string load_initial_weights(EfficientNetImpl& network, const ExperimentConfig& config,
                                 const std::vector<std::string>& classes);

/// Loads every tensor of `file`, strictly. The error lists all that does not fit and says whose weights they are, where
/// that is known.
void load_weights(EfficientNetImpl& network, const WeightsFile& file, const std::filesystem::path& path);

/// The same from a file.
void load_weights(EfficientNetImpl& network, const std::filesystem::path& path);

/// Eval mode, made faster for a network whose weights stay (hold_weights).
void prepare_for_inference(EfficientNetImpl& network);

/// Weights alone, torchvision's names; metadata: class names, and the epoch that ended with them. Equal weights give
/// equal files.
void save_weights(const std::filesystem::path& path, const EfficientNetImpl& network,
                  const std::vector<std::string>& classes, std::int64_t epoch);

/// The epoch that save_weights stored in a .safetensors file, of which only the header is read; nullopt if there is no
/// such file or no epoch in it, as in files of others.
std::optional<std::int64_t> stored_epoch(const std::filesystem::path& path);

/// What save_weights stored as class names; empty for files of others.
std::vector<std::string> stored_classes(const WeightsFile& file);

/// Outputs of the classifier in `file`; nullopt if it has none.
std::optional<std::int64_t> stored_num_classes(const WeightsFile& file);

}  // namespace effnetv2
