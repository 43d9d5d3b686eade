#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "effnetv2/data/dataset.h"
#include "effnetv2/run/event_file.h"
#include "effnetv2/weights/safetensors.h"

namespace effnetv2 {

/// The tag of a column of metrics.jsonl: "loss/val" for val_loss. A column without one is its own tag; "epoch" is the
/// step of the others and has none ("").
std::string scalar_tag(std::string_view column);

/// The tag of a weight: its stage is the group, "features.4/0.block.1.0.weight".
std::string weight_tag(const std::string& name);

/// A run as TensorBoard reads it. The step of everything is the number of epochs done; the settings and the pictures
/// stand at 0. What is written of an epoch is as long each time that it is written, so that a TensorBoard that
/// is open meanwhile is not led astray when resume cuts the file and writes an epoch again.
class TensorboardLog {
 public:
  /// Goes on after `keep` if the file holds it, else begins the file anew.
  TensorboardLog(const std::filesystem::path& path, const EventFile::Position& keep);

  /// True if nothing of before is kept.
  bool is_new() const noexcept { return is_new_; }

  /// The resolved config, in the text tab.
  void add_config(std::int64_t epochs_done, const nlohmann::ordered_json& config);
  /// Up to `count` pictures from all over a data set, as epoch 1 sees them: "training_images/0 heron". Bad ones are
  /// left out.
  void add_images(const Dataset& images, const std::vector<std::string>& classes, std::int64_t count,
                  std::uint64_t seed);
  /// An object of metrics.jsonl, each number a scalar.
  void add_epoch(const nlohmann::ordered_json& row);
  /// Epochs of an earlier process, whose times are made up from their durations.
  void add_epochs(const std::vector<nlohmann::ordered_json>& rows);
  /// A histogram of each tensor.
  void add_weights(std::int64_t epoch, const NamedTensors& weights);

  /// Flushes to the disk.
  EventFile::Position sync() { return file_.sync(); }

 private:
  bool is_new_;
  EventFile file_;
};

}  // namespace effnetv2
