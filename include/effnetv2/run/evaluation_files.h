#pragma once

#include <filesystem>
#include <vector>

#include <nlohmann/json.hpp>

#include "effnetv2/core/run_paths.h"
#include "effnetv2/data/listing.h"
#include "effnetv2/train/evaluate.h"

namespace effnetv2 {

/// What an evaluation leaves: eval.json; predictions.csv with a row for each picture that could be read (path, class,
/// predicted, correct 0 or 1, rank of its class from 1 on, probability of the predicted class and of its own); and
/// confusion.csv with a row for each class of the pictures and a column for each class that was theirs or was
/// predicted.
class EvaluationFiles {
 public:
  /// Makes the folder, so that a place that cannot be written to is known before the work. Throws EnvironmentError.
  explicit EvaluationFiles(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const noexcept { return paths_.folder(); }

  /// files[prediction.index] is the picture; labels are places in listing.classes, or beyond them for outputs that no
  /// class has.
  void write(const nlohmann::ordered_json& document, const Listing& listing, const FileList& files,
             const std::vector<Prediction>& predictions) const;

 private:
  EvaluationPaths paths_;
};

}  // namespace effnetv2
