#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "effnetv2/core/log.h"
#include "effnetv2/core/progress.h"
#include "effnetv2/run/trained_model.h"

namespace effnetv2 {

struct PredictionRequest {
  TrainedModelRequest model;
  std::vector<std::string> paths;  ///< files and folders; folders stand for every image below them
  std::int64_t top_k = 5;          ///< >= 1; classes beyond the network's are left out
  bool logits = false;             ///< the outputs too
  /// Where what the network saw goes, a .safetensors file: each picture's float32 [3, H, W] by its path. For comparing
  /// with other programs; all are held in memory.
  std::optional<std::filesystem::path> inputs;
};

/// The answer for one picture.
struct PicturePrediction {
  struct Answer {
    std::int64_t index = 0;  ///< of the output
    std::string name;        ///< the output's title, or its number where it has no name
    double probability = 0.0;
  };
  std::string path;            ///< as given, or below the folder that was given
  std::vector<Answer> top;     ///< most probable first; of equal ones the lower index
  std::vector<double> logits;  ///< if asked for
  std::string error;           ///< why the picture could not be read; then there is nothing else
};

/// An element of the document of `predict --json` (CLI.md).
nlohmann::ordered_json to_json(const PicturePrediction& prediction);

/// Tells `on_result` of each picture in the order of the paths, batch by batch. Ends early once a stop is requested.
/// Returns how many pictures could not be read. Throws DataError for a path that does not exist and a folder without
/// images, before the first result; NumericError, naming the picture, for an answer that is not finite.
std::int64_t run_prediction(const PredictionRequest& request,
                            const std::function<void(const PicturePrediction&)>& on_result, const ProgressFn& progress,
                            const std::shared_ptr<Log>& log);

}  // namespace effnetv2
