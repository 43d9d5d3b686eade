#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "effnetv2/config/experiment_config.h"
#include "effnetv2/core/log.h"
#include "effnetv2/model/efficientnet.h"
#include "effnetv2/weights/weights_file.h"

namespace effnetv2 {

/// Whose weights are looked at: a run's, or those of a file that goes with a config.
struct TrainedModelRequest {
  std::optional<std::filesystem::path> run_dir;
  std::optional<std::filesystem::path> weights, config;
  std::string checkpoint = "best";  ///< best | last, of a run
  std::vector<std::string> sets;    ///< changes of the config, as "a.b=v"
};

/// A trained network before it is built.
struct TrainedModel {
  ExperimentConfig config;  ///< resolved for inference; num_classes is the classifier's
  std::filesystem::path weights_path;
  WeightsFile weights;
  std::vector<std::string> trained_on;  ///< class folders by label, as stored with the weights; may be empty
  /// Names of the outputs where they are known: those stored with the weights, or else the lines of data.class_names
  /// if there is one for each. May be fewer than outputs, or none.
  std::vector<std::string> class_ids;
  std::vector<std::string> class_titles;  ///< readable, from data.class_names where that has them
};

/// Reads config and weights, resolves device and threads and sets LibTorch's switches. Throws ConfigError,
/// CheckpointError.
TrainedModel open_trained_model(const TrainedModelRequest& request, Log& log);

/// The network in eval mode on its device, BatchNorm folded into the convolutions.
std::shared_ptr<EfficientNetImpl> inference_network(const TrainedModel& model);

}  // namespace effnetv2
