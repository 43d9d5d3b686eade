#include "effnetv2/run/evaluation.h"

#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/weights/weights_file.h"

#include "support/tiny_run.h"

namespace effnetv2 {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Json = nlohmann::ordered_json;

class EvaluationTest : public test::TinyRun {
 protected:
  EvaluationRequest of_run(const std::string& name) const {
    EvaluationRequest request;
    request.model.run_dir = dir_ / name;
    return request;
  }
  /// The config as a file, for weights without a run.
  std::filesystem::path config_file() const {
    return dir_.write("config.json", R"({"device": "cpu", "threads": 1,
      "model": {"stages": [{"block": "fused_mbconv", "expand": 1, "kernel": 3, "stride": 2, "channels": 8, "layers": 1}],
                "stem_channels": 8, "head_channels": 16},
      "data": {"root": "shapes", "image_size": 16}})");
  }
  EvaluationRequest of_file(const std::filesystem::path& weights) const {
    EvaluationRequest request;
    request.model.weights = weights;
    request.model.config = config_file();
    request.output = dir_ / "figures";
    return request;
  }
  Json evaluate(const EvaluationRequest& request) const { return run_evaluation(request, {}, Log::silent()).value(); }
  std::string refusal(const EvaluationRequest& request) const {
    try {
      evaluate(request);
    } catch (const Error& e) {
      return e.what();
    }
    return "not refused";
  }
  /// Lines of a CSV file without quoted fields, by fields.
  std::vector<std::vector<std::string>> csv(const std::filesystem::path& path) const {
    std::vector<std::vector<std::string>> rows;
    std::istringstream lines(read_file(path));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream fields(line);
      rows.emplace_back();
      for (std::string field; std::getline(fields, field, ',');) {
        rows.back().push_back(field);
      }
    }
    return rows;
  }
  /// The run's weights as somebody else's program would have saved them: without names of classes.
  std::filesystem::path foreign_weights() const {
    const auto file = read_weights_file(dir_ / "a" / "checkpoints" / "best.safetensors");
    write_weights_file(dir_ / "foreign.pth", file.tensors);
    return dir_ / "foreign.pth";
  }
};

TEST_F(EvaluationTest, AStopEndsItAndNothingIsWritten) {
  train("a");
  std::filesystem::remove_all(dir_ / "a" / "eval");
  request_stop();
  EXPECT_FALSE(run_evaluation(of_run("a"), {}, Log::silent()).has_value());
  EXPECT_FALSE(std::filesystem::exists(dir_ / "a" / "eval" / "val" / "eval.json"));
}

TEST_F(EvaluationTest, OtherImagesAreAllEvaluated) {
  config_.data.images_per_class = 5;
  train("a");
  std::filesystem::copy(dir_ / "shapes", dir_ / "more", std::filesystem::copy_options::recursive);
  auto request = of_run("a");
  request.data = dir_ / "more";
  EXPECT_EQ(evaluate(request)["samples"], 60);
  EXPECT_TRUE(std::filesystem::exists(dir_ / "a" / "eval" / "more-all" / "predictions.csv"));
}

TEST_F(EvaluationTest, OfOtherImagesSoManyAsAskedFor) {
  train("a");
  std::filesystem::copy(dir_ / "shapes", dir_ / "more", std::filesystem::copy_options::recursive);
  auto request = of_run("a");
  request.data = dir_ / "more";
  for (const char* set : {"data.images_per_class=2", "data={\"images_per_class\": 2}"}) {
    request.model.sets = {set};
    EXPECT_EQ(evaluate(request)["samples"], 20) << set;
  }
}

TEST_F(EvaluationTest, FoldersOfOneNameKeepTheirFigures) {
  train("a");
  for (const char* folder : {"one", "two"}) {
    std::filesystem::create_directory(dir_ / folder);
    std::filesystem::copy(dir_ / "shapes", dir_ / folder / "more", std::filesystem::copy_options::recursive);
  }
  auto request = of_run("a");
  const auto place_of = [&](const char* folder) {
    request.data = dir_ / folder / "more";
    return std::filesystem::path(evaluate(request)["files"].get<std::string>()).filename().string();
  };
  EXPECT_EQ(place_of("one"), "more-all");
  EXPECT_EQ(place_of("two"), "more-all-2");
  EXPECT_EQ(place_of("one"), "more-all");
  EXPECT_EQ(place_of("two"), "more-all-2");
  dir_.write("a/eval/more-all/eval.json", "{cut");
  EXPECT_EQ(place_of("two"), "more-all");
}

TEST_F(EvaluationTest, HeldOutPicturesOfAChangedFolderAreRefused) {
  std::filesystem::copy(dir_ / "shapes", dir_ / "mine", std::filesystem::copy_options::recursive);
  config_.data.root = (dir_ / "mine").string();
  train("a");
  EXPECT_EQ(refusal(of_run("a")), "not refused");
  std::filesystem::copy_file(dir_ / "mine/circle/0000.png", dir_ / "mine/circle/new.png");
  EXPECT_THAT(refusal(of_run("a")), AllOf(HasSubstr("may be among its val pictures"), HasSubstr("--data")));
  auto request = of_run("a");
  request.data = dir_ / "mine";
  EXPECT_EQ(refusal(request), "not refused");
}

TEST_F(EvaluationTest, OtherClassesAreRefused) {
  train("a");
  std::filesystem::copy(dir_ / "shapes", dir_ / "other", std::filesystem::copy_options::recursive);
  std::filesystem::rename(dir_ / "other" / "circle", dir_ / "other" / "disc");
  auto request = of_run("a");
  request.data = dir_ / "other";
  EXPECT_THAT(refusal(request), HasSubstr("\"disc\""));
  request.match_classes = true;
  EXPECT_THAT(refusal(request), AllOf(HasSubstr("no class named \"disc\""), HasSubstr("--match-classes")));
  request.match_classes = false;
  request.data = dir_ / "shapes";
  request.split = "all";
  EXPECT_EQ(evaluate(request)["samples"], 60);
}

TEST_F(EvaluationTest, ItsFilesAddUpToItsFigures) {
  train("a");
  auto request = of_run("a");
  request.split = "all";
  const Json result = evaluate(request);
  const auto folder = dir_ / "a" / "eval" / "all";
  EXPECT_EQ(Json::parse(read_file(folder / "eval.json")), result);
  EXPECT_EQ(result["files"], folder.string());
  EXPECT_LE(result["top1_interval"][0], result["top1"]);
  EXPECT_GE(result["top1_interval"][1], result["top1"]);

  const auto predictions = csv(folder / "predictions.csv");
  EXPECT_THAT(predictions[0], testing::ElementsAre("path", "class", "predicted", "correct", "rank", "probability",
                                                   "class_probability"));
  ASSERT_EQ(predictions.size(), 61u);
  std::map<std::string, int> samples, hits;
  int top1 = 0, top5 = 0;
  double loss = 0.0;
  for (std::size_t i = 1; i < predictions.size(); ++i) {
    const auto& row = predictions[i];
    EXPECT_TRUE(row[0].starts_with(row[1] + "/")) << row[0];
    EXPECT_EQ(row[3] == "1", row[1] == row[2]);
    EXPECT_EQ(row[3] == "1", row[4] == "1");
    EXPECT_GE(std::stod(row[5]), std::stod(row[6]));
    ++samples[row[1]];
    hits[row[1]] += row[3] == "1" ? 1 : 0;
    top1 += row[3] == "1" ? 1 : 0;
    top5 += std::stoi(row[4]) <= 5 ? 1 : 0;
    loss -= std::log(std::stod(row[6]));
  }
  EXPECT_NEAR(result["top1"].get<double>(), top1 / 60.0, 1e-12);
  EXPECT_NEAR(result["top5"].get<double>(), top5 / 60.0, 1e-12);
  EXPECT_NEAR(result["loss"].get<double>(), loss / 60.0, 1e-4);

  const auto confusion = csv(folder / "confusion.csv");
  ASSERT_EQ(confusion.size(), 11u);
  for (std::size_t row = 1; row < confusion.size(); ++row) {
    const std::string& name = confusion[row][0];
    EXPECT_EQ(confusion[0][row], name) << "rows and columns in the same order";
    int sum = 0;
    for (std::size_t column = 1; column < confusion[row].size(); ++column) {
      sum += std::stoi(confusion[row][column]);
    }
    EXPECT_EQ(sum, samples[name]);
    EXPECT_EQ(std::stoi(confusion[row][row]), hits[name]);
    EXPECT_NEAR(result["per_class"][row - 1]["top1"].get<double>(), hits[name] / 6.0, 1e-12);
    if (result["per_class"][row - 1]["predicted"] == 0) {
      EXPECT_TRUE(result["per_class"][row - 1]["precision"].is_null());
    }
  }
}

TEST_F(EvaluationTest, AFileWithItsConfigGivesTheRunsFigures) {
  train("a");
  const Json of_the_run = evaluate(of_run("a"));
  const Json of_the_file = evaluate(of_file(dir_ / "a" / "checkpoints" / "best.safetensors"));
  const Json of_a_foreign_file = evaluate(of_file(foreign_weights()));
  for (const char* key : {"samples", "loss", "top1", "top5", "per_class"}) {
    EXPECT_EQ(of_the_run[key], of_the_file[key]) << key;
    EXPECT_EQ(of_the_run[key], of_a_foreign_file[key]) << key;
  }
}

TEST_F(EvaluationTest, SomeOfTheClassesAreFoundByName) {
  train("a");
  std::filesystem::create_directory(dir_ / "some");
  for (const char* name : {"cross", "stripes", "circle"}) {
    std::filesystem::copy(dir_ / "shapes" / name, dir_ / "some" / name, std::filesystem::copy_options::recursive);
  }
  auto all = of_run("a");
  all.split = "all";
  const Json whole = evaluate(all);
  for (const bool foreign : {false, true}) {
    auto request = foreign ? of_file(foreign_weights()) : of_run("a");
    request.data = dir_ / "some";
    EXPECT_THAT(refusal(request), HasSubstr("--match-classes"));
    request.match_classes = true;
    if (foreign) {
      EXPECT_THAT(refusal(request), HasSubstr("data.class_names"));
      std::string names;
      for (const auto& row : whole["per_class"]) {
        names += row["name"].get<std::string>() + " the " + row["name"].get<std::string>() + "\n";
      }
      request.model.sets = {"data.class_names=" + dir_.write("names.txt", names).string()};
    }
    const Json some = evaluate(request);
    EXPECT_EQ(some["samples"], 18);
    ASSERT_EQ(some["per_class"].size(), 3u);
    for (const auto& row : some["per_class"]) {
      bool found = false;
      for (const auto& same : whole["per_class"]) {
        const std::string name = (foreign ? "the " : "") + same["name"].get<std::string>();
        if (row["name"] == name) {
          EXPECT_EQ(row["top1"], same["top1"]);
          found = true;
        }
      }
      EXPECT_TRUE(found) << row["name"];
    }
  }
}

TEST_F(EvaluationTest, TheRunsOwnFolderIsNoOtherHoweverItIsWritten) {
  train("a");
  for (const auto& folder : {dir_ / "shapes", dir_ / "shapes/", dir_ / "shapes/.", dir_ / "a/../shapes"}) {
    auto request = of_run("a");
    request.data = folder;
    EXPECT_EQ(evaluate(request)["split"], "val") << folder;
    EXPECT_EQ(evaluate(request)["files"], (dir_ / "a" / "eval" / "shapes-val").string());
  }
}

TEST_F(EvaluationTest, ForeignWeightsAreNotLabelledAgainstTheirOwnNames) {
  train("a");
  const Json right = evaluate(of_run("a"));
  std::string names;
  for (const auto& row : right["per_class"]) {
    names = row["name"].get<std::string>() + "\n" + names;  // the other way round
  }
  auto request = of_file(foreign_weights());
  request.model.sets = {"data.class_names=" + dir_.write("names.txt", names).string()};
  EXPECT_THAT(refusal(request), AllOf(HasSubstr("data.class_names"), HasSubstr("--match-classes")));
}

TEST_F(EvaluationTest, AFolderOfOnePictureAClassIsMeasured) {
  train("a");
  for (const auto& folder : std::filesystem::directory_iterator(dir_ / "shapes")) {
    if (folder.is_directory()) {
      std::filesystem::create_directories(dir_ / "one" / folder.path().filename());
      std::filesystem::copy(folder.path() / "0000.png", dir_ / "one" / folder.path().filename());
    }
  }
  auto request = of_run("a");
  request.data = dir_ / "one";
  EXPECT_EQ(evaluate(request)["samples"], 10);
}

TEST_F(EvaluationTest, WeightsWithoutAClassifierOrWithNaNAreRefused) {
  train("a");
  WeightsFile file = read_weights_file(dir_ / "a" / "checkpoints" / "best.safetensors");
  NamedTensors copies;
  for (const auto& [name, tensor] : file.tensors) {
    copies.emplace_back(name, tensor.clone());
  }
  copies.back().second.fill_(std::numeric_limits<float>::quiet_NaN());  // the classifier's bias
  write_weights_file(dir_ / "nan.pth", copies);
  EXPECT_THROW(evaluate(of_file(dir_ / "nan.pth")), NumericError);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "figures" / "eval.json"));
  copies.resize(copies.size() - 2);
  write_weights_file(dir_ / "headless.pth", copies);
  EXPECT_THAT(refusal(of_file(dir_ / "headless.pth")), HasSubstr("missing (2): classifier.1.weight"));
}

TEST_F(EvaluationTest, NamesThatAreNoTextDoNotStopIt) {
  train("a");
  auto request = of_run("a");
  request.output = dir_ / "odd\xff";
  EXPECT_THAT(evaluate(request)["files"].get<std::string>(), HasSubstr("odd\\xFF"));
}

TEST_F(EvaluationTest, BadImagesLeaveTheOtherRowsWhereTheyBelong) {
  train("a");
  write_file(first_image(), "no picture");
  auto request = of_run("a");
  request.split = "all";
  request.model.sets = {"data.on_bad_image=skip"};
  const Json result = evaluate(request);
  EXPECT_EQ(result["samples"], 59);
  EXPECT_EQ(result["bad_images"], 1);
  const auto rows = csv(dir_ / "a" / "eval" / "all" / "predictions.csv");
  ASSERT_EQ(rows.size(), 60u);
  for (std::size_t i = 1; i < rows.size(); ++i) {
    EXPECT_TRUE(rows[i][0].starts_with(rows[i][1] + "/")) << rows[i][0];
    EXPECT_NE((dir_ / "shapes" / rows[i][0]), first_image());
  }
}

TEST_F(EvaluationTest, MoreOutputsThanClassesAreAllowedWhereTheyWereTrained) {
  config_.model.num_classes = 30;
  train("a");
  EXPECT_EQ(evaluate(of_run("a"))["per_class"].size(), 10u);
}

TEST_F(EvaluationTest, WeightsOfAnotherArchitectureAreListedAndNamed) {
  train("a");
  auto request = of_file(dir_ / "a" / "checkpoints" / "best.safetensors");
  request.model.sets = {"model.stem_channels=16"};
  EXPECT_THAT(refusal(request), AllOf(HasSubstr("other shape"), HasSubstr("features.0.0.weight has [8, 3, 3, 3]")));
}

}  // namespace
}  // namespace effnetv2
