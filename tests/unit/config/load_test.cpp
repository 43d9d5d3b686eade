#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "effnetv2/config/config.h"
#include "effnetv2/config/expand.h"
#include "effnetv2/core/error.h"

#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string load_error(const fs::path& file, const std::vector<std::string>& sets = {}) {
  try {
    load_config(file, sets);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

/// Sets an environment variable while it lives.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Environment() { ::unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
};

/// Makes `folder` the current one while it lives.
class CurrentFolder {
 public:
  explicit CurrentFolder(const fs::path& folder) : before_(fs::current_path()) { fs::current_path(folder); }
  ~CurrentFolder() { fs::current_path(before_); }
  CurrentFolder(const CurrentFolder&) = delete;
  CurrentFolder& operator=(const CurrentFolder&) = delete;

 private:
  fs::path before_;
};

TEST(ConfigFile, CommentsAndSchemaAndDescriptionAreAccepted) {
  const test::TempDir dir;
  const auto file =
      dir.write("a.json", "\xEF\xBB\xBF// why\n{\"$schema\": \"s.json\", /* x */ \"description\": \"d\", \"seed\": 7}");
  const ExperimentConfig config = load_config(file);
  EXPECT_EQ(config.seed, 7u);
  EXPECT_EQ(config.description, "d");
}

TEST(ConfigFile, ACommaAfterTheLastItemIsAccepted) {
  const test::TempDir dir;
  const auto file =
      dir.write("a.json",
                "{\"description\": \"a,] \\\",}\", // b,]\n \"data\": {\"mean\": [0, 0.5, 1, /* ] */\n],},\n"
                " \"seed\": 7, // }\n}");
  const ExperimentConfig config = load_config(file);
  EXPECT_EQ(config.seed, 7u);
  EXPECT_EQ(config.description, "a,] \",}");
  EXPECT_EQ(config.data.mean[1], 0.5);
}

TEST(ConfigFile, ErrorsOfExtendsAndSchemaHideNoOthers) {
  const test::TempDir dir;
  const auto error = load_error(dir.write("a.json", R"({"extends": "none.json", "$schema": 5, "nam": 1})"));
  EXPECT_THAT(error, HasSubstr("none.json: no such config file"));
  EXPECT_THAT(error, HasSubstr("$schema: must be text"));
  EXPECT_THAT(error, HasSubstr("nam: is not a key, did you mean \"name\"?"));
}

TEST(ConfigFile, ExtendsExpandsVariables) {
  const test::TempDir dir;
  dir.write("base/b.json", R"({"seed": 9})");
  ::setenv("EFFNETV2_TEST_BASE", (dir / "base").c_str(), 1);
  EXPECT_EQ(load_config(dir.write("a.json", R"({"extends": "${EFFNETV2_TEST_BASE}/b.json"})")).seed, 9u);
  ::unsetenv("EFFNETV2_TEST_BASE");
  EXPECT_THAT(load_error(dir / "a.json"), HasSubstr("EFFNETV2_TEST_BASE is not set"));
}

TEST(ConfigFile, ADefaultHoldsNoOtherVariable) {
  const test::TempDir dir;
  EXPECT_THAT(load_error(dir.write("a.json", R"({"data": {"root": "${NOT_SET:-${HOME}/pics}"}})")),
              HasSubstr("a default cannot hold another"));
}

TEST(ConfigFile, WhatIsNotJsonIsNamedWithLineAndColumn) {
  const test::TempDir dir;
  const auto two_commas = dir.write("commas.json", "{\n  \"seed\": 1,,\n}\n");
  EXPECT_THAT(load_error(two_commas), StartsWith(two_commas.string() + ":2:"));
  for (const char* text : {"{,}", "{\"data\": {\"mean\": [,]}}", "{\"data\": {\"mean\": [0, , 0]}}", "{\"seed\":,}"}) {
    EXPECT_THAT(load_error(dir.write("comma.json", text)), HasSubstr("not valid JSON")) << text;
  }
  EXPECT_THAT(load_error(dir.write("empty.json", " \n")), HasSubstr("the document is empty"));
  EXPECT_THAT(load_error(dir.write("cut.json", "{\"seed\": 1")), HasSubstr("cut.json:1:"));
  EXPECT_THAT(load_error(dir.write("two.json", "{} {}")), HasSubstr("not valid JSON"));
  EXPECT_THAT(load_error(dir.write("nan.json", "{\"train\": {\"optimizer\": {\"lr\": NaN}}}")),
              HasSubstr("nan.json:1:"));
  EXPECT_THAT(load_error(dir.write("latin1.json", "{\"name\": \"\xE9t\xE9\"}")), HasSubstr("latin1.json:1:"));
  EXPECT_THAT(load_error(dir.write("top.json", "[1]")),
              HasSubstr("top.json: a config must be an object { ... }, got [1]"));
}

TEST(ConfigFile, DuplicateKeysAreAllNamedWithTheirLines) {
  const test::TempDir dir;
  const auto file = dir.write(
      "a.json",
      "{\n\"seed\": 1,\n\"train\": {\"epochs\": 1,\n\"epochs\": 2},\n"
      "\"model\": {\"stages\": [{\"channels\": 8}, {\"layers\": 1, \"channels\": 8, \"layers\": 2}]},\n\"seed\": 2}");
  const std::string error = load_error(file);
  EXPECT_THAT(error, HasSubstr(file.string() + ":4:1: train.epochs is there twice"));
  EXPECT_THAT(error, HasSubstr(":5:68: model.stages[1].layers is there twice"));
  EXPECT_THAT(error, HasSubstr(":6:1: seed is there twice"));
}

TEST(ConfigFile, NumbersTooLargeNameTheirKey) {
  const test::TempDir dir;
  const auto file = dir.write("a.json", "{\"seed\": 1,\n \"train\": {\"optimizer\": {\"lr\": 1e400}}}");
  EXPECT_THAT(load_error(file),
              AllOf(StartsWith(file.string() + ":2:"), HasSubstr("train.optimizer.lr: 1e400 is too large")));
  EXPECT_THAT(load_error(dir.write("b.json", "{\"data\": {\"mean\": [0, -1e999, 0]}}")),
              HasSubstr("data.mean[1]: -1e999"));
  EXPECT_THAT(load_error(dir.write("c.json", "{\"seed\": 123456789012345678901234567890}")),
              HasSubstr("seed: must be an integer"));
  EXPECT_THAT(load_error(dir.write("e.json", "{}"), {"train.optimizer.lr=1e400"}),
              HasSubstr("--set train.optimizer.lr=1e400: "));
}

TEST(ConfigFile, DeepNestingIsRefusedWithoutOverflow) {
  const test::TempDir dir;
  constexpr int kLevels = 1000000;
  std::string objects;
  for (int i = 0; i < kLevels; ++i) {
    objects += "{\"a\":";
  }
  EXPECT_THAT(load_error(dir.write("lists.json", "{\"seed\": " + std::string(kLevels, '['))),
              HasSubstr("nested deeper than 64"));
  EXPECT_THAT(load_error(dir.write("objects.json", objects)), HasSubstr("nested deeper than 64"));
  EXPECT_THAT(load_error(dir.write("ok.json", "{}"), {"data=" + objects}), HasSubstr("nested deeper than 64"));

  auto deep = nlohmann::json::array();
  for (int i = 0; i < kLevels; ++i) {
    auto outer = nlohmann::json::array();
    outer.push_back(std::move(deep));
    deep = std::move(outer);
  }
  nlohmann::json document;
  document["seed"] = std::move(deep);
  EXPECT_THROW(parse_config(document, "/"), ConfigError);

  EXPECT_THAT(load_error(dir.write("63.json", "{\"seed\": " + std::string(63, '[') + std::string(63, ']') + "}")),
              HasSubstr("seed: must be an integer"));
  EXPECT_THAT(load_error(dir.write("64.json", "{\"seed\": " + std::string(64, '[') + std::string(64, ']') + "}")),
              HasSubstr("nested deeper than 64"));
}

TEST(ConfigFile, LongTextsAreCutInMessages) {
  const test::TempDir dir;
  const std::string text(1 << 20, 'x');
  for (const std::string& document :
       {"{\"" + text + "\": 1}", "{\"train\": {\"" + text + "\": 1, \"" + text + "\": 2}}",
        "{\"device\": \"" + text + "\"}", "{\"precision\": \"" + text + "\"}",
        "{\"data\": {\"root\": \"${" + text + "\"}}", "{\"data\": {\"root\": \"${" + text + "}\"}}",
        "{\"extends\": \"" + text + "\"}", "{\"seed\": " + text + "}"}) {
    const std::string error = load_error(dir.write("a.json", document));
    EXPECT_THAT(error, HasSubstr("a.json")) << document.substr(0, 40);
    EXPECT_LT(error.size(), 2000u) << document.substr(0, 40);
  }
}

TEST(ConfigFile, BytesThatAreNoTextAreEscaped) {
  const test::TempDir dir;
  EXPECT_THAT(load_error(dir.write("a.json", "{\"name\": \"\xE9\x1B\"}")),
              AllOf(HasSubstr("\\xE9"), Not(HasSubstr("\xE9"))));
  EXPECT_THAT(load_error(dir / "no\nsuch.json"), AllOf(HasSubstr("no\\x0Asuch.json"), Not(HasSubstr("\n"))));
}

TEST(ConfigFile, ManyErrorsEndSoon) {
  const test::TempDir dir;
  std::string twice = "{\"a\": 0", many = "{\"b\": 0";
  for (int i = 0; i < 50000; ++i) {
    twice += ",\n\"a\": 0";
    many += ",\"k" + std::to_string(i) + "\": 0";
  }
  const std::string error = load_error(dir.write("a.json", twice + "}"));
  EXPECT_EQ(std::count(error.begin(), error.end(), '\n'), 99);
  EXPECT_THAT(load_error(dir.write("b.json", many + "}")), HasSubstr("k49999: is not a key"));
}

TEST(ConfigFile, OnlyFilesOfAConfigsSizeAreRead) {
  const test::TempDir dir;
  fs::resize_file(dir.write("sparse.json", "{}"), std::uintmax_t{1} << 40);
  ASSERT_EQ(::mkfifo((dir / "pipe.json").c_str(), 0600), 0);
  EXPECT_THAT(load_error(dir / "sparse.json"), HasSubstr("sparse.json: is larger than 16.0 MiB"));
  EXPECT_THAT(load_error("/dev/zero"), HasSubstr("/dev/zero: is a device"));
  EXPECT_THAT(load_error(dir / "pipe.json"), HasSubstr("pipe.json:1:1: not valid JSON: the document is empty"));
  EXPECT_THAT(load_error(dir.write("a.json", R"({"extends": ["sparse.json", "pipe.json", "/dev/zero"], "sede": 1})")),
              AllOf(HasSubstr("sparse.json: is larger"), HasSubstr("pipe.json:1:1"),
                    HasSubstr("/dev/zero: is a device"), HasSubstr("sede: is not a key")));
}

TEST(ConfigFile, MissingFilesSuggestTheirNeighbour) {
  const test::TempDir dir;
  dir.write("imagenette.json", "{}");
  dir.write("run/config.json", "{}");
  EXPECT_THAT(load_error(dir / "imagenete.json"),
              HasSubstr("imagenete.json: no such config file, did you mean \"imagenette.json\"?"));
  EXPECT_THAT(load_error(dir / "run"), HasSubstr("is a folder; a config is a JSON file, here "));
}

TEST(ConfigExtends, ObjectsMergeAndAnythingElseReplaces) {
  const test::TempDir dir;
  dir.write("base.json", R"({"seed": 1, "model": {"dropout": 0.5, "stages": [{"channels": 8}, {"channels": 16}]},
                             "data": {"augment": {"random_resized_crop": {"scale": [0.5, 1]}}}})");
  dir.write("more.json", R"({"seed": 2, "model": {"stages": [{"channels": 24}]}})");
  const auto file = dir.write("sub/top.json", R"({"extends": ["../base.json", "../more.json"],
                                       "data": {"augment": {"random_resized_crop": {"ratio": [1, 1]}}}})");
  const ExperimentConfig config = load_config(file);
  EXPECT_EQ(config.seed, 2u);
  EXPECT_EQ(config.model.dropout, 0.5);
  ASSERT_EQ(config.model.stages->size(), 1u);
  EXPECT_EQ(config.model.stages->at(0).channels, 24);
  EXPECT_EQ(config.data.augment.random_resized_crop->scale[0], 0.5);
  EXPECT_EQ(config.data.augment.random_resized_crop->ratio[1], 1.0);

  dir.write("sub/off.json", R"({"extends": "top.json", "data": {"augment": {"random_resized_crop": null}}})");
  EXPECT_FALSE(load_config(dir / "sub/off.json").data.augment.random_resized_crop);
}

TEST(ConfigExtends, CyclesAreRefusedWithTheirChain) {
  const test::TempDir dir;
  dir.write("a.json", R"({"extends": "b.json"})");
  dir.write("b.json", R"({"extends": ["c.json"]})");
  dir.write("c.json", R"({"extends": "./a.json"})");
  const std::string real = fs::canonical(dir.path()).string();
  EXPECT_THAT(load_error(dir / "a.json"), HasSubstr("extends itself: " + real + "/a.json -> " + real + "/b.json -> " +
                                                    real + "/c.json -> " + real + "/a.json"));
  dir.write("self.json", R"({"extends": "self.json"})");
  EXPECT_THAT(load_error(dir / "self.json"), HasSubstr("extends itself"));
  dir.write("d.json", R"({"extends": ["e.json", "e.json"]})");
  dir.write("e.json", R"({"seed": 3})");
  EXPECT_EQ(load_config(dir / "d.json").seed, 3u) << "the same base twice is no cycle";
}

TEST(ConfigExtends, FilesThatMultiplyAreRefused) {
  const test::TempDir dir;
  for (int i = 0; i < 30; ++i) {
    const std::string next = "\"" + std::to_string(i + 1) + ".json\"";
    dir.write(std::to_string(i) + ".json", "{\"extends\": [" + next + ", " + next + "]}");
  }
  dir.write("30.json", "{}");
  EXPECT_THAT(load_error(dir / "0.json"), HasSubstr("more than 1000 files"));
}

TEST(ConfigExtends, NoNameHoldsAZeroByte) {
  const test::TempDir dir;
  dir.write("b.json", "{}");
  EXPECT_THAT(load_error(dir.write("a.json", R"({"extends": "b.json\u0000x"})")),
              HasSubstr("extends: no file can have the name \"b.json\\u0000x\""));
}

TEST(ConfigExtends, MissingBasesAndWrongTypesAreNamed) {
  const test::TempDir dir;
  const auto file = dir.write("a.json", R"({"extends": "nope.json"})");
  EXPECT_THAT(load_error(file),
              AllOf(StartsWith(file.string() + ": extends: "), HasSubstr("nope.json: no such config file")));
  for (const char* value : {"1", "true", "{}", "[1]", "\"\"", "[null]"}) {
    EXPECT_THAT(load_error(dir.write("b.json", std::string("{\"extends\": ") + value + "}")),
                HasSubstr("extends: must be a file name"));
  }
  EXPECT_EQ(load_error(dir.write("c.json", R"({"extends": null, "$schema": null})")), "");
  EXPECT_THAT(load_error(dir.write("d.json", R"({"$schema": 1})")), HasSubstr("$schema: must be text or null, got 1"));
  EXPECT_THAT(load_error(dir.write("e.json", R"({"model": {"extends": "c.json"}})")),
              HasSubstr("model.extends: is not a key"));
}

TEST(ConfigExtends, ErrorsNameTheFileTheValueStandsIn) {
  const test::TempDir dir;
  const auto base = dir.write("base.json", R"({"train": {"epochs": 0}, "model": {"dropout": 2}})");
  const auto top = dir.write("top.json", R"({"extends": "base.json", "model": {"dropout": 3}, "x": 1})");
  const std::string error = load_error(top, {"seed=-1"});
  EXPECT_THAT(error, HasSubstr(base.string() + ": train.epochs: must be"));
  EXPECT_THAT(error, HasSubstr(top.string() + ": model.dropout: must be a number in [0, 1) or null, got 3"));
  EXPECT_THAT(error, HasSubstr(top.string() + ": x: is not a key"));
  EXPECT_THAT(error, HasSubstr("--set seed=-1: seed: must be an integer >= 0, got -1"));
}

TEST(ConfigPaths, AreRelativeToTheFileTheyStandIn) {
  const test::TempDir dir;
  dir.write("base/base.json", R"({"data": {"root": "../photos/"}, "model": {"weights": "w.safetensors"}})");
  const auto file =
      dir.write("top/top.json", R"({"extends": "../base/base.json", "data": {"class_names": "./names.txt"}})");
  const CurrentFolder here(dir.path());
  const std::string current = fs::current_path().string();
  for (const fs::path& path : {file, fs::path("top/top.json"), fs::path("./top/../top/top.json")}) {
    const ExperimentConfig config = load_config(path);
    const std::string root = path.is_absolute() ? dir.path().string() : current;
    EXPECT_EQ(config.data.root, root + "/photos");
    EXPECT_EQ(config.model.weights, root + "/base/w.safetensors");
    EXPECT_EQ(config.data.class_names, root + "/top/names.txt");
  }
  const ExperimentConfig set = load_config("top/top.json", {"data.root=mine/x", "model.weights=/abs/../w"});
  EXPECT_EQ(set.data.root, current + "/mine/x");
  EXPECT_EQ(set.model.weights, "/w");
  EXPECT_FALSE(load_config("top/top.json", {"data.root=null"}).data.root);
}

TEST(ConfigPaths, VariablesExpand) {
  const test::TempDir dir;
  const Environment photos("EFFNETV2_TEST_PHOTOS", "/photos");
  const Environment empty("EFFNETV2_TEST_EMPTY", "");
  const auto root_of = [&](const std::string& text) {
    return load_config(dir.write("a.json", nlohmann::json{{"data", {{"root", text}}}}.dump())).data.root;
  };
  EXPECT_EQ(root_of("${EFFNETV2_TEST_PHOTOS}/x"), "/photos/x");
  EXPECT_EQ(root_of("${EFFNETV2_TEST_UNSET:-/d}/x"), "/d/x");
  EXPECT_EQ(root_of("${EFFNETV2_TEST_EMPTY:-/d}/x"), "/d/x");
  EXPECT_EQ(root_of("${EFFNETV2_TEST_PHOTOS:-/d}"), "/photos");
  EXPECT_EQ(root_of("${EFFNETV2_TEST_UNSET:-}"), std::nullopt);
  EXPECT_EQ(root_of(""), std::nullopt);
  EXPECT_EQ(root_of("/a$b/$${c}"), "/a$b/${c}");
  EXPECT_EQ(root_of("${EFFNETV2_TEST_UNSET:-sub}"), dir.path().string() + "/sub");
}

TEST(ConfigPaths, BadVariablesAreErrorsThatNameThem) {
  const test::TempDir dir;
  const auto error_of = [&](const std::string& text) {
    return load_error(dir.write("a.json", nlohmann::json{{"data", {{"root", text}}}}.dump()));
  };
  EXPECT_THAT(error_of("${EFFNETV2_TEST_UNSET}"),
              HasSubstr("data.root: the environment variable EFFNETV2_TEST_UNSET is not set"));
  EXPECT_THAT(error_of("${EFFNETV2_TEST"), HasSubstr("without its }"));
  EXPECT_THAT(error_of("${}"), HasSubstr("is not ${VAR}"));
  EXPECT_THAT(error_of("${1A}"), HasSubstr("is not ${VAR}"));
  EXPECT_THAT(error_of("~/photos"), HasSubstr("write ${HOME}"));
  const Environment latin1("EFFNETV2_TEST_LATIN1", "/\xE9");
  EXPECT_THAT(error_of("${EFFNETV2_TEST_LATIN1}"), HasSubstr("not UTF-8"));
  EXPECT_EQ(load_error(dir.write("b.json", R"({"data": {"root": "${EFFNETV2_TEST_UNSET}"}})"), {"data.root=/x"}), "")
      << "what --set replaces is not expanded";
  EXPECT_EQ(load_error(dir.write("c.json", R"({"description": "${EFFNETV2_TEST_UNSET}"})")), "") << "only paths expand";
}

TEST(ConfigPaths, ResolvedPathsReadBack) {
  for (const char* text : {"/a b/c", "/a${b}", "/$$x/${y:-z}", "/\xC3\xA9"}) {
    EXPECT_EQ(resolve_path(escape_path(text), "/elsewhere"), text);
  }
}

TEST(ConfigSet, LaterOnesWinAndObjectsAreMade) {
  const nlohmann::json none = nlohmann::json::object();
  EXPECT_EQ(parse_config(none, "/", {"seed=1", "seed=2"}).seed, 2u);
  const auto crop =
      parse_config(none, "/", {"data.augment.random_resized_crop.scale=[0.2,0.9]"}).data.augment.random_resized_crop;
  ASSERT_TRUE(crop);
  EXPECT_EQ(crop->scale[0], 0.2);
  EXPECT_EQ(crop->ratio[0], RandomResizedCropConfig{}.ratio[0]);
  const nlohmann::json sgd{{"train", {{"optimizer", {{"lr", 0.5}, {"momentum", 0.1}}}}}};
  const auto merged = parse_config(sgd, "/", {"train.optimizer={\"lr\": 0.25}"}).train.optimizer;
  EXPECT_EQ(merged.lr, 0.25);
  EXPECT_EQ(merged.momentum, 0.1);
  EXPECT_EQ(parse_config(none, "/", {"name=a=b"}).name, "a=b");
  EXPECT_EQ(parse_config(none, "/", {"name=\"42\""}).name, "42");
  EXPECT_EQ(parse_config(none, "/", {"description=two words"}).description, "two words");
}

TEST(ConfigSet, NamesElementsOfLists) {
  const nlohmann::json table{{"model", {{"stages", {{{"channels", 8}}, {{"channels", 16}}}}}}};
  EXPECT_EQ(parse_config(table, "/", {"model.stages[1].kernel=5"}).model.stages->at(1).kernel, 5);
  EXPECT_EQ(parse_config(table, "/", {"model.stages.0.layers=3"}).model.stages->at(0).layers, 3);
  const auto config = parse_config(nlohmann::json::object(), "/", {"data.mean[1]=0.5", "train.optimizer.betas.0=0.8"});
  EXPECT_EQ(config.data.mean, (std::array<double, 3>{0.485, 0.5, 0.406}));
  EXPECT_EQ(config.train.optimizer.betas, (std::array<double, 2>{0.8, 0.999}));
}

TEST(ConfigSet, MistakesAreNamed) {
  const auto error_of = [](const std::string& set) {
    try {
      parse_config(nlohmann::json::object(), "/", {set});
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), StartsWith("--set " + set + ": "));
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(error_of("train.optimizer.rl=1"), HasSubstr("did you mean \"train.optimizer.lr\"?"));
  EXPECT_THAT(error_of("lr=1"), HasSubstr("did you mean \"train.optimizer.lr\"?"));
  EXPECT_THAT(error_of("train.epochs.x=1"), HasSubstr("train.epochs holds a value"));
  EXPECT_THAT(error_of("seed"), HasSubstr("must be KEY=VALUE"));
  EXPECT_THAT(error_of("=1"), HasSubstr("must be KEY=VALUE"));
  EXPECT_THAT(error_of("a..b=1"), HasSubstr("is not a key"));
  EXPECT_THAT(error_of("model.stages[0].kernel=3"), HasSubstr("model.stages is not given"));
  EXPECT_THAT(error_of("data.mean[3]=1"), HasSubstr("data.mean has 3 elements"));
  EXPECT_THAT(error_of("data.mean.x=1"), HasSubstr("name an element by its number"));
  EXPECT_THAT(error_of("data.mean=[1,2"), HasSubstr("not valid JSON"));
  EXPECT_THAT(error_of("train={\"epochs\":1,\"epochs\":2}"), HasSubstr("epochs is there twice"));
  EXPECT_THAT(error_of("name=42"), HasSubstr("quote it: 'name=\"42\"'"));
  EXPECT_THAT(error_of("extends=x.json"), HasSubstr("extends is not a key"));
}

TEST(ConfigSet, AMessageIsOneReadableLine) {
  const test::TempDir dir;
  const auto file = dir.write("a.json", "{}");
  EXPECT_THAT(load_error(file, {"name=\xE9"}), StartsWith("--set name=\\xE9: is not UTF-8"));
  EXPECT_THAT(load_error(file, {"a\nb=1"}), AllOf(StartsWith("--set a\\x0Ab=1: "), Not(HasSubstr("\n"))));
  EXPECT_LT(load_error(file, {"name=" + std::string(100000, 'x')}).size(), 1000u);
  EXPECT_LT(load_error(file, {std::string(100000, 'x') + "=1"}).size(), 1000u);
}

TEST(ShippedConfigs, AreValidAndSayWhatTheyAre) {
  int count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(EFFNETV2_SOURCE_DIR) / "configs")) {
    if (entry.path().extension() == ".json") {
      const ExperimentConfig config = load_config(entry.path());
      EXPECT_TRUE(config.description && config.description->size() > 40) << entry.path();
      EXPECT_THAT(warnings(config), testing::IsEmpty()) << entry.path();
      ++count;
    }
  }
  EXPECT_GE(count, 5);
}

TEST(ShippedConfigs, FollowThePublishedProtocol) {
  for (const auto& [name, images] : {std::pair{"imagenette-32", 100}, std::pair{"birds-32", 60}}) {
    const fs::path folder = fs::path(EFFNETV2_SOURCE_DIR) / "configs";
    const ExperimentConfig plain = load_config(folder / (std::string(name) + ".json"), {"data.root=/photos"});
    EXPECT_EQ(plain.name, name);
    EXPECT_EQ(plain.data.root, "/photos");
    EXPECT_EQ(plain.data.images_per_class, images);
    EXPECT_EQ(plain.data.image_size, 32);
    EXPECT_EQ(plain.data.mean, (std::array<double, 3>{0, 0, 0}));
    EXPECT_EQ(plain.data.std, (std::array<double, 3>{1, 1, 1}));
    EXPECT_TRUE(plain.data.skip_greyscale);
    EXPECT_FALSE(plain.data.split.stratified);
    EXPECT_EQ(plain.train.optimizer.lr, 1e-4);
    EXPECT_EQ(plain.train.early_stopping.patience, 50);
    EXPECT_EQ(plain.train.early_stopping.min_epochs, 150);

    ExperimentConfig modern = load_config(folder / (std::string(name) + "-modern.json"), {"data.root=/photos"});
    EXPECT_EQ(modern.model.init, Init::per_group);
    EXPECT_EQ(modern.data.mean, DataConfig{}.mean);
    EXPECT_EQ(modern.train.optimizer.lr, 1e-3);
    modern.model.init = plain.model.init;
    modern.data.mean = plain.data.mean;
    modern.data.std = plain.data.std;
    modern.train.optimizer.lr = plain.train.optimizer.lr;
    EXPECT_EQ(semantic_hash(modern), semantic_hash(plain)) << "only those three differ";
  }
}

}  // namespace
}  // namespace effnetv2
