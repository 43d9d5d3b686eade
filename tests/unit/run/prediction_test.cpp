#include "effnetv2/run/prediction.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnetv2/core/error.h"
#include "effnetv2/data/decode.h"
#include "effnetv2/data/transform.h"
#include "effnetv2/run/evaluation.h"
#include "effnetv2/weights/safetensors.h"

#include "support/tiny_run.h"

namespace effnetv2 {
namespace {

using testing::HasSubstr;
using Json = nlohmann::ordered_json;

class PredictionTest : public test::TinyRun {
 protected:
  std::vector<PicturePrediction> predict(const PredictionRequest& request, std::int64_t bad = 0) const {
    std::vector<PicturePrediction> results;
    EXPECT_EQ(run_prediction(
                  request, [&](const auto& one) { results.push_back(one); }, {}, Log::silent()),
              bad);
    return results;
  }
  PredictionRequest request(std::vector<std::string> paths) const {
    PredictionRequest request;
    request.model.run_dir = dir_ / "a";
    request.paths = std::move(paths);
    return request;
  }
};

TEST_F(PredictionTest, AnswersAreThoseOfTheEvaluation) {
  train("a");
  EvaluationRequest all;
  all.model.run_dir = dir_ / "a";
  all.split = "all";
  const double top1 = run_evaluation(all, {}, Log::silent()).value()["top1"];
  const auto results = predict(request({(dir_ / "shapes").string()}));
  ASSERT_EQ(results.size(), 60u);
  int hits = 0;
  EXPECT_TRUE(std::is_sorted(results.begin(), results.end(), [](auto& a, auto& b) { return a.path < b.path; }));
  for (const auto& one : results) {
    ASSERT_EQ(one.top.size(), 5u);
    hits += std::filesystem::path(one.path).parent_path().filename() == one.top[0].name ? 1 : 0;
    for (std::size_t i = 1; i < one.top.size(); ++i) {
      EXPECT_GE(one.top[i - 1].probability, one.top[i].probability);
    }
  }
  EXPECT_NEAR(hits / 60.0, top1, 1e-12);
}

TEST_F(PredictionTest, TheOrderIsThatOfThePathsAndBatchesDoNotMatter) {
  train("a");
  const auto folder = predict(request({(dir_ / "shapes").string()}));
  auto one_by_one = request({folder[7].path, folder[3].path, folder[7].path});
  one_by_one.model.sets = {"train.batch_size=1"};
  one_by_one.top_k = 100;
  one_by_one.logits = true;
  const auto some = predict(one_by_one);
  ASSERT_EQ(some.size(), 3u);
  EXPECT_EQ(some[0].path, folder[7].path);
  EXPECT_EQ(some[1].path, folder[3].path);
  ASSERT_EQ(some[0].top.size(), 10u) << "no more answers than outputs";
  EXPECT_EQ(some[0].logits.size(), 10u);
  EXPECT_EQ(some[0].logits, some[2].logits);
  EXPECT_NEAR(some[0].top[0].probability, folder[7].top[0].probability, 1e-5);
}

TEST_F(PredictionTest, ABadPictureIsSaidAndTheOthersAnswered) {
  train("a");
  const auto bad = dir_.write("bad.jpg", "no picture").string();
  const auto good = first_image().string();
  const auto results = predict(request({good, bad, good}), 1);
  ASSERT_EQ(results.size(), 3u);
  EXPECT_THAT(results[1].error, HasSubstr("bad.jpg"));
  EXPECT_TRUE(results[1].top.empty());
  EXPECT_FALSE(results[2].top.empty());
  const Json element = to_json(results[1]);
  EXPECT_EQ(element["path"], bad);
  EXPECT_TRUE(element["top"].empty());
  EXPECT_EQ(predict(request({bad}), 1).size(), 1u) << "a batch without a picture";
}

TEST_F(PredictionTest, PathsThatDoNotExistAreRefusedFirst) {
  train("a");
  std::filesystem::create_directory(dir_ / "none");
  EXPECT_THROW(predict(request({first_image().string(), (dir_ / "gone.png").string()})), DataError);
  EXPECT_THROW(predict(request({(dir_ / "none").string()})), DataError);
}

TEST_F(PredictionTest, WhatTheNetworkSawCanBeSaved) {
  train("a");
  auto asked = request({first_image().string()});
  asked.inputs = dir_ / "inputs.safetensors";
  predict(asked);
  const SafetensorsFile file(dir_ / "inputs.safetensors");
  const at::Tensor seen = file.tensor(first_image().string());
  ASSERT_EQ(seen.sizes(), (std::vector<std::int64_t>{3, 16, 16}));
  const Image image = Transform(config_.data, Transform::Mode::eval).prepare(decode_image(first_image()));
  const double red = image.pixels[(5 * 16 + 7) * 3] / 255.0;
  EXPECT_NEAR(seen[0][5][7].item<double>(), (red - config_.data.mean[0]) / config_.data.std[0], 1e-6);
  asked.paths.push_back(first_image().string());
  EXPECT_THROW(predict(asked), ConfigError) << "one name for two tensors";
}

}  // namespace
}  // namespace effnetv2
