#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "effnetv2/core/file.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/data/synth.h"
#include "effnetv2/run/training.h"

#include "support/temp_dir.h"

namespace effnetv2::test {

/// Ten classes of six drawn pictures, and a config that trains a very small network on them in an instant.
class TinyRun : public ::testing::Test {
 protected:
  void SetUp() override {
    clear_stop_request();
    SynthOptions options;
    options.images_per_class = 6;
    write_synthetic_dataset(dir_ / "shapes", options);
    config_.name = "tiny";
    config_.device = "cpu";
    config_.threads = 1;
    config_.model.stages = std::vector<StageConfig>{{BlockKind::fused_mbconv, 1, 3, 2, 8, 1}};
    config_.model.stem_channels = 8;
    config_.model.head_channels = 16;
    config_.data.root = (dir_ / "shapes").string();
    config_.data.image_size = 16;
    config_.train.epochs = 2;
    config_.train.batch_size = 16;
  }
  void TearDown() override { clear_stop_request(); }

  TrainingOutcome train(const std::string& name, StartMode mode = StartMode::create) {
    return run_training({config_, dir_ / name, mode}, {}, Log::silent());
  }
  nlohmann::json json(const std::string& name) const { return nlohmann::json::parse(read_file(dir_.path() / name)); }
  std::filesystem::path first_image() const {
    std::vector<std::filesystem::path> images;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path() / "shapes")) {
      if (entry.path().extension() == ".png") {
        images.push_back(entry.path());
      }
    }
    std::sort(images.begin(), images.end());
    return images.front();
  }

  TempDir dir_;
  ExperimentConfig config_;
};

}  // namespace effnetv2::test
