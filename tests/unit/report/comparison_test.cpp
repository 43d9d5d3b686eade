#include "effnetv2/report/comparison.h"

#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnetv2/config/config.h"

namespace effnetv2 {
namespace {

using testing::ElementsAre;

RunRecord run(const std::string& name, std::uint64_t seed, double dropout, const std::string& experiment = "e") {
  ExperimentConfig config;
  config.name = experiment;
  config.seed = seed;
  config.model.dropout = dropout;
  config.threads = static_cast<std::int64_t>(seed);  // does not make another experiment
  RunRecord record;
  record.name = name;
  record.config = to_json(config);
  return record;
}

TEST(GroupRuns, SeedsOfOneSettingBelongTogether) {
  const std::vector<RunRecord> runs{run("dropout=0.2-seed1", 1, 0.2), run("dropout=0.6-seed1", 1, 0.6),
                                    run("dropout=0.2-seed2", 2, 0.2)};
  const auto groups = group_runs(runs);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].label, "dropout=0.2");
  EXPECT_THAT(groups[0].runs, ElementsAre(0, 2));
  EXPECT_EQ(groups[1].settings.at("model.dropout"), "0.6");
  EXPECT_EQ(groups[1].settings.size(), 1u) << "only what differs";
}

TEST(GroupRuns, LabelsTellGroupsApart) {
  auto groups = group_runs({run("seed1", 1, 0.2, "plain"), run("seed1", 1, 0.6, "strong")});
  EXPECT_EQ(groups[0].label, "plain");
  EXPECT_EQ(groups[1].label, "strong");
  groups = group_runs({run("seed1", 1, 0.2), run("seed1", 1, 0.6)});
  EXPECT_EQ(groups[0].label, "dropout=0.2");
  groups = group_runs({run("imagenette-1", 1, 0.2), run("imagenette-2", 1, 0.6)});
  EXPECT_EQ(groups[1].label, "imagenette-2");
}

TEST(SpreadOf, IsOfASample) {
  const auto spread = spread_of({1.0, nullptr, 2.0, 4.0});
  EXPECT_EQ(spread["n"], 3);
  EXPECT_NEAR(spread["mean"].get<double>(), 7.0 / 3.0, 1e-12);
  EXPECT_NEAR(spread["sd"].get<double>(), std::sqrt(7.0 / 3.0), 1e-12);
  EXPECT_TRUE(spread_of({1.0})["sd"].is_null());
  EXPECT_TRUE(spread_of({nullptr})["mean"].is_null());
}

TEST(FiguresOf, AYoungRunHasItsBestSoFar) {
  RunRecord young = run("a", 1, 0.2);
  young.metrics = {
      {{"epoch", 1}, {"val_top1", 0.4}, {"train_top1", 0.3}, {"epoch_seconds", 2.0}, {"images_per_second", 10.0}},
      {{"epoch", 2}, {"val_top1", 0.3}, {"train_top1", 0.6}, {"epoch_seconds", 4.0}, {"images_per_second", 30.0}}};
  const auto figures = figures_of(young);
  EXPECT_EQ(figures["state"], "under way");
  EXPECT_EQ(figures["best_top1"], 0.4);
  EXPECT_EQ(figures["best_epoch"], 1);
  EXPECT_EQ(figures["final_top1"], 0.3);
  EXPECT_EQ(figures["seconds"], 6.0);
  EXPECT_EQ(figures["images_per_second"], 20.0);
  EXPECT_TRUE(figures["parameters"].is_null());
  EXPECT_EQ(figures_of(run("b", 1, 0.2))["state"], "begun");
}

TEST(FiguresOf, AFinishedRunHasItsTestWithAnInterval) {
  RunRecord done = run("a", 1, 0.2);
  done.result = {{"best", {{"epoch", 7}, {"val_top1", 0.5}}}, {"test", {{"samples", 10}, {"top1", 0.8}}}};
  const auto figures = figures_of(done);
  EXPECT_EQ(figures["best_epoch"], 7);
  EXPECT_NEAR(figures["test_interval"][0].get<double>(), 0.4901625, 1e-6);
}

}  // namespace
}  // namespace effnetv2
