// Properties of every key, taken from the description: whatever is described can be read, written and set, and nothing
// else can.

#include "effnetv2/config/keys.h"

#include <algorithm>
#include <set>

#include <gmock/gmock.h>

#include "support/config_values.h"

namespace effnetv2 {
namespace {

using nlohmann::json;
using test::concrete_path;
using test::document_with;
using test::error_of;
using testing::HasSubstr;
using testing::StartsWith;

json resolved(const ExperimentConfig& config) {
  return json::parse(to_json(config).dump());
}

/// What the resolved config must show for `given`.
json expected(const ConfigKey& key, const json& given) {
  if (key.field.path && given.is_string()) {
    return "/somewhere/" + given.get<std::string>();
  }
  return given;
}

TEST(ConfigKeys, EveryKeyHasItsDocLineAndOneName) {
  std::set<std::string> paths;
  for (const ConfigKey* key : test::every_key()) {
    EXPECT_TRUE(paths.insert(key->path).second) << key->path;
    EXPECT_TRUE(key->field.doc.ends_with('.')) << key->path << " has no doc line that ends in a full stop";
  }
  EXPECT_GT(paths.size(), 90u);
}

TEST(ConfigKeys, EveryAllowedValueIsReadAndWritten) {
  for (const ConfigKey* key : test::every_key()) {
    for (const json& value : test::good_values(*key)) {
      json document = document_with(*key, value);
      const std::string error = error_of(document);
      if (!error.empty()) {
        EXPECT_TRUE(test::breaks_only_a_rule(error)) << error;
        EXPECT_THAT(error, StartsWith(key->path + ": "));
        continue;
      }
      json written = resolved(parse_config(document, "/somewhere"));
      const json got = test::at_path(written, concrete_path(*key));
      if (key->type == ConfigKey::Type::object || key->type == ConfigKey::Type::rows) {
        EXPECT_EQ(got.type(), value.type()) << key->path;
        EXPECT_EQ(got.is_array() ? got.size() : 0u, value.is_array() ? value.size() : 0u) << key->path;
      } else {
        EXPECT_EQ(got, expected(*key, value)) << key->path;
      }
    }
  }
}

TEST(ConfigKeys, EveryAllowedValueCanBeSet) {
  for (const ConfigKey* key : test::every_key()) {
    if (test::is_in_row(*key) || (key->type == ConfigKey::Type::object && !key->optional)) {
      continue;
    }
    for (const json& value : test::good_values(*key)) {
      const json document{{"train", {{"eval_train", true}}}};
      const std::string set =
          key->path + "=" +
          (key->field.path && value.is_string() ? "/somewhere/" + value.get<std::string>() : value.dump());
      const std::string error = error_of(document, {set});
      if (!error.empty()) {
        EXPECT_TRUE(test::breaks_only_a_rule(error)) << error;
        continue;
      }
      EXPECT_EQ(resolved(parse_config(document, "/somewhere", {set})),
                resolved(parse_config(document_with(*key, value), "/somewhere")))
          << set;
    }
  }
}

TEST(ConfigKeys, EveryWrongTypeIsAnErrorThatNamesItsPath) {
  for (const ConfigKey* key : test::every_key()) {
    for (const json& value : test::wrong_types(*key)) {
      const std::string error = error_of(document_with(*key, value));
      EXPECT_THAT(error, StartsWith(concrete_path(*key))) << value;
      EXPECT_THAT(error, HasSubstr(": ")) << value;
    }
  }
}

TEST(ConfigKeys, EveryValueOutOfRangeIsAnErrorThatNamesPathRuleAndValue) {
  for (const ConfigKey* key : test::every_key()) {
    for (const json& value : test::out_of_range(*key)) {
      const std::string error = error_of(document_with(*key, value));
      EXPECT_THAT(error, StartsWith(concrete_path(*key) + ": must be ")) << value;
      EXPECT_THAT(error, HasSubstr("got " + value.dump())) << key->path;
    }
  }
}

TEST(ConfigKeys, NotANumberNeverPasses) {
  for (const ConfigKey* key : test::every_key()) {
    for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
      EXPECT_NE(error_of(document_with(*key, value)), "") << key->path;
      if (key->type == ConfigKey::Type::numbers) {
        json list = test::good_values(*key).front();
        list[0] = value;
        EXPECT_THAT(error_of(document_with(*key, list)), StartsWith(key->path + "[0]: must be a number"));
      }
    }
  }
}

TEST(ConfigKeys, EveryMistypedKeySuggestsTheRightOne) {
  for (const ConfigKey* key : test::every_key()) {
    if (key->name.size() < 3) {
      continue;
    }
    json document = document_with(*key, 0);
    const auto end = key->path.rfind('.');
    const std::string parent =
        end == std::string::npos ? "" : concrete_path(*key).substr(0, concrete_path(*key).rfind('.'));
    json& object = parent.empty() ? document : test::at_path(document, parent);
    object.erase(key->name);
    const std::string typo = key->name + "x";
    object[typo] = 0;
    const std::string path = (parent.empty() ? "" : parent + ".") + typo;
    EXPECT_THAT(error_of(document), HasSubstr(path + ": is not a key, did you mean \"" + key->path + "\"?"));
  }
}

TEST(ConfigKeys, KeysOfOtherObjectsAreFoundByName) {
  EXPECT_EQ(error_of({{"label_smoothing", 0.1}}),
            "label_smoothing: is not a key, did you mean \"train.loss.label_smoothing\"?");
  const auto guess = [](const std::string& parent, const std::string& name) {
    const ConfigKey* const key = parent.empty() ? &config_keys() : config_keys().child(parent);
    const std::string text = unknown_key_text(*key, name);
    return text.substr(std::min(text.find('"') + 1, text.size()), text.rfind('"') - text.find('"') - 1);
  };
  EXPECT_EQ(guess("", "batchsize"), "train.batch_size");
  EXPECT_EQ(guess("", "epoch"), "train.epochs");
  EXPECT_EQ(guess("", "optimiser"), "train.optimizer");
  EXPECT_EQ(guess("", "augment"), "data.augment");
  EXPECT_EQ(guess("", "std"), "data.std");
  EXPECT_EQ(guess("", "learning_rate"), "train.optimizer.lr");
  EXPECT_EQ(guess("train", "mean"), "data.mean");
  EXPECT_EQ(guess("train", "batch"), "train.batch_size");
  EXPECT_EQ(guess("data", "images"), "data.images_per_class");
  EXPECT_EQ(unknown_key_text(*config_keys().child("train"), "out").find("did you mean"), std::string::npos);
  EXPECT_NE(guess("train", "train"), "train") << "the object itself";
  EXPECT_THAT(error_of({{"utterly different", 1}}),
              HasSubstr("[\"utterly different\"]: is not a key; \"effnetv2 config keys\""));
}

TEST(ConfigKeys, DefaultsAreTheStructs) {
  EXPECT_EQ(resolved(parse_config(json::object(), "/somewhere")), resolved(ExperimentConfig{}));
  for (const ConfigKey* key : leaf_keys()) {
    if (!test::is_in_row(*key) && !key->path.starts_with("data.augment.random_resized_crop.")) {
      json defaults = resolved(ExperimentConfig{});
      EXPECT_EQ(test::at_path(defaults, key->path), json(key->default_value)) << key->path;
    }
  }
}

TEST(ConfigKeys, ResolvedConfigsReadBackEqual) {
  for (const ConfigKey* key : test::every_key()) {
    for (const json& value : test::good_values(*key)) {
      json document = document_with(*key, value);
      if (!error_of(document).empty()) {
        continue;
      }
      const auto first = to_json(parse_config(document, "/somewhere"));
      EXPECT_EQ(to_json(parse_config(json::parse(first.dump()), "/elsewhere")).dump(), first.dump()) << key->path;
    }
  }
}

TEST(ConfigKeys, AllErrorsComeAtOnceOneALine) {
  json document;
  std::size_t count = 0;
  for (const ConfigKey* key : leaf_keys()) {
    if (!test::is_in_row(*key) && key->type != ConfigKey::Type::object) {
      test::at_path(document, key->path) = json::array({json::array()});
      ++count;
    }
  }
  const std::string error = error_of(document, {"seeds=1", "train.optimizer.lr"});
  EXPECT_GE(static_cast<std::size_t>(std::count(error.begin(), error.end(), '\n')) + 1, count + 2);
  for (const ConfigKey* key : leaf_keys()) {
    if (!test::is_in_row(*key) && key->type != ConfigKey::Type::object) {
      EXPECT_THAT(error, HasSubstr(key->path));
    }
  }
  EXPECT_THAT(error, HasSubstr("--set seeds=1: seeds is not a key, did you mean \"seed\"?"));
  EXPECT_THAT(error, HasSubstr("--set train.optimizer.lr: must be KEY=VALUE"));
}

TEST(ConfigKeys, WholeNumbersMayBeWrittenAsFloats) {
  EXPECT_EQ(parse_config({{"train", {{"epochs", 1e3}}}}, "/").train.epochs, 1000);
  EXPECT_EQ(parse_config({{"train", {{"epochs", 5.0}}}}, "/").train.epochs, 5);
  EXPECT_EQ(parse_config({{"seed", std::uint64_t{9223372036854775807u}}}, "/").seed, 9223372036854775807u);
  EXPECT_NE(error_of({{"seed", std::uint64_t{9223372036854775808u}}}), "");
  EXPECT_NE(error_of({{"seed", -1}}), "");
  EXPECT_EQ(parse_config({{"train", {{"optimizer", {{"lr", 1}, {"weight_decay", 1e30}}}}}}, "/").train.optimizer.lr,
            1.0);
}

}  // namespace
}  // namespace effnetv2
