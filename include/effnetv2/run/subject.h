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
struct SubjectRequest {
  std::optional<std::filesystem::path> run_dir;
  std::optional<std::filesystem::path> weights, config;
  std::string checkpoint = "best";  ///< best | last, of a run
  std::vector<std::string> sets;    ///< changes of the config, as "a.b=v"
};

/// A trained network before it is built.
struct Subject {
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
Subject open_subject(const SubjectRequest& request, Log& log);

/// The network in eval mode on its device, BatchNorm folded into the convolutions.
std::shared_ptr<EfficientNetImpl> inference_network(const Subject& subject);

/// The file that a run keeps its `checkpoint` (best | last) weights in. Throws CheckpointError if it is not there yet.
std::filesystem::path run_weights(const std::filesystem::path& run_dir, const std::string& checkpoint);

}  // namespace effnetv2
