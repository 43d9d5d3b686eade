#include "effnetv2/report/page.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnetv2/config/config.h"

namespace effnetv2 {
namespace {

using testing::HasSubstr;
using testing::Not;

RunRecord run(const std::string& name) {
  RunRecord record;
  record.name = name;
  record.path = "/tmp/" + name;
  record.config = to_json(ExperimentConfig{});
  record.metrics = {{{"epoch", 1}, {"val_top1", 0.4}}};
  return record;
}

/// The document that the page draws.
nlohmann::json document_of(const std::string& page) {
  const std::string begin = R"(<script type="application/json" id="data">)";
  const auto at = page.find(begin) + begin.size();
  return nlohmann::json::parse(page.substr(at, page.find("</script>", at) - at));
}

TEST(Page, HoldsTheRunsAsData) {
  const auto document = document_of(make_page({run("a"), run("b")}));
  EXPECT_EQ(document["runs"].size(), 2u);
  EXPECT_EQ(document["runs"][0]["metrics"][0]["val_top1"], 0.4);
  EXPECT_EQ(document["groups"].size(), 1u);
  EXPECT_FALSE(document.contains("details"));
  EXPECT_TRUE(document_of(make_page({run("a")})).contains("details"));
}

TEST(Page, TextOfARunCannotEndTheScript) {
  RunRecord odd = run("a");
  odd.config["description"] = "</script><script>alert(1)</script> /*JS*/ \xff";
  const std::string page = make_page({odd});
  EXPECT_THAT(page, Not(HasSubstr("</script><script>alert(1)")));
  EXPECT_THAT(document_of(page)["details"]["config"]["description"].get<std::string>(), HasSubstr("</script>"));
}

TEST(Page, MistakesAreTheSurestWrongAnswersWithTheirPictures) {
  RunRecord one = run("a");
  one.evaluations.push_back({"val",
                             {{"data", "/data"}},
                             {},
                             {{"path", "class", "predicted", "correct", "rank", "probability", "class_probability"},
                              {"x/1.png", "x", "y", "0", "2", "0.6", "0.4"},
                              {"x/2.png", "x", "x", "1", "1", "0.99", "0.99"},
                              {"y/3.png", "y", "x", "0", "2", "0.9", "0.1"},
                              {"short"}}});
  std::string asked;
  const auto document = document_of(make_page({one}, [&](const auto& path) {
    asked += path.string() + ";";
    return path.filename() == "3.png" ? std::optional<std::string>("jpeg") : std::nullopt;
  }));
  const auto& mistakes = document["details"]["evaluations"][0]["mistakes"];
  ASSERT_EQ(mistakes.size(), 2u);
  EXPECT_EQ(mistakes[0]["path"], "y/3.png");
  EXPECT_EQ(mistakes[0]["picture"], "data:image/jpeg;base64,anBlZw==");
  EXPECT_EQ(mistakes[1]["picture"], "");
  EXPECT_EQ(asked, "/data/y/3.png;/data/x/1.png;");
}

}  // namespace
}  // namespace effnetv2
