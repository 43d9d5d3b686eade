#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "effnetv2/data/dataset.h"
#include "effnetv2/data/listing.h"
#include "effnetv2/train/evaluate.h"

namespace effnetv2 {

/// What was evaluated; borrowed. files[i].label is the network's output for the picture's class: a place in
/// listing.classes.
struct EvaluatedSplit {
  std::string name;  ///< val | test | train | all
  const Listing& listing;
  const FileList& files;
  const ImageDataset& dataset;
};

/// The document of `eval --json` and eval.json (CLI.md): split, samples, loss, top1, top5 with their 95 % intervals,
/// per_class, seconds; and which weights, data and files they are of. `evaluation` was made with predictions.
nlohmann::ordered_json evaluation_document(const EvaluatedSplit& split, const Evaluation& evaluation,
                                           const std::filesystem::path& weights, const std::filesystem::path& output);

}  // namespace effnetv2
