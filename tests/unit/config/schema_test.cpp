// The schema says the same as the reader, judged by a checker of the few keywords that the schema uses.

#include <fstream>
#include <regex>
#include <sstream>

#include <gmock/gmock.h>

#include "support/config_values.h"

namespace effnetv2 {
namespace {

using nlohmann::json;
using test::error_of;

bool has_type(const json& value, const std::string& type) {
  if (type == "integer") {
    return value.is_number_integer() ||
           (value.is_number_float() && value.get<double>() == std::floor(value.get<double>()));
  }
  return (type == "number" && value.is_number()) || (type == "string" && value.is_string()) ||
         (type == "boolean" && value.is_boolean()) || (type == "object" && value.is_object()) ||
         (type == "array" && value.is_array()) || (type == "null" && value.is_null());
}

long double as_number(const json& value) {
  return value.is_number_unsigned()  ? static_cast<long double>(value.get<std::uint64_t>())
         : value.is_number_integer() ? static_cast<long double>(value.get<std::int64_t>())
                                     : static_cast<long double>(value.get<double>());
}

bool accepts(const json& schema, const json& value);

bool keyword_accepts(const std::string& keyword, const json& rule, const json& schema, const json& value) {
  if (keyword == "type") {
    return rule.is_array()
               ? std::any_of(rule.begin(), rule.end(), [&](const json& type) { return has_type(value, type); })
               : has_type(value, rule);
  }
  if (keyword == "anyOf") {
    return std::any_of(rule.begin(), rule.end(), [&](const json& one) { return accepts(one, value); });
  }
  if (keyword == "not") {
    return !accepts(rule, value);
  }
  if (keyword == "const") {
    return value == rule;
  }
  if (keyword == "enum") {
    return std::find(rule.begin(), rule.end(), value) != rule.end();
  }
  if (keyword == "minimum" || keyword == "maximum" || keyword == "exclusiveMinimum" || keyword == "exclusiveMaximum" ||
      keyword == "multipleOf") {
    if (!value.is_number()) {
      return true;
    }
    const long double x = as_number(value);
    const long double bound = as_number(rule);
    return keyword == "minimum"            ? x >= bound
           : keyword == "maximum"          ? x <= bound
           : keyword == "exclusiveMinimum" ? x > bound
           : keyword == "exclusiveMaximum" ? x < bound
                                           : std::fmod(x, bound) == 0;
  }
  if (keyword == "pattern") {
    return !value.is_string() || std::regex_search(value.get<std::string>(), std::regex(rule.get<std::string>()));
  }
  if (keyword == "minLength") {
    return !value.is_string() || value.get<std::string>().size() >= rule.get<std::size_t>();
  }
  if (keyword == "items") {
    return !value.is_array() ||
           std::all_of(value.begin(), value.end(), [&](const json& item) { return accepts(rule, item); });
  }
  if (keyword == "minItems" || keyword == "maxItems") {
    return !value.is_array() ||
           (keyword == "minItems" ? value.size() >= rule.get<std::size_t>() : value.size() <= rule.get<std::size_t>());
  }
  if (keyword == "required") {
    return !value.is_object() || std::all_of(rule.begin(), rule.end(),
                                             [&](const json& name) { return value.contains(name.get<std::string>()); });
  }
  if (keyword == "properties") {
    return !value.is_object() || std::all_of(rule.items().begin(), rule.items().end(), [&](const auto& item) {
      return !value.contains(item.key()) || accepts(item.value(), value[item.key()]);
    });
  }
  if (keyword == "additionalProperties") {
    EXPECT_EQ(rule, false);
    return !value.is_object() || std::all_of(value.items().begin(), value.items().end(), [&](const auto& item) {
      return schema["properties"].contains(item.key());
    });
  }
  EXPECT_THAT(keyword, testing::AnyOf("description", "default", "title", "$schema"));
  return true;
}

bool accepts(const json& schema, const json& value) {
  return std::all_of(schema.items().begin(), schema.items().end(),
                     [&](const auto& item) { return keyword_accepts(item.key(), item.value(), schema, value); });
}

json schema() {
  return json::parse(config_schema().dump());
}

void expect_agreement(const json& the_schema, const json& document) {
  const std::string error = error_of(document);
  EXPECT_EQ(accepts(the_schema, document), error.empty() || test::breaks_only_a_rule(error)) << document << "\n"
                                                                                             << error;
}

TEST(ConfigSchema, AgreesWithTheReader) {
  const json the_schema = schema();
  EXPECT_EQ(the_schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
  int accepted = 0;
  int refused = 0;
  for (const ConfigKey* key : test::every_key()) {
    for (const auto& values : {test::good_values(*key), test::wrong_types(*key), test::out_of_range(*key)}) {
      for (const json& value : values) {
        const json document = test::document_with(*key, value);
        expect_agreement(the_schema, document);
        (accepts(the_schema, document) ? accepted : refused) += 1;
      }
    }
    json typo = test::document_with(*key, test::good_values(*key).front());
    test::at_path(typo, test::concrete_path(*key) + "x") = 1;
    expect_agreement(the_schema, typo);
  }
  EXPECT_GT(accepted, 200);
  EXPECT_GT(refused, 800);
}

TEST(ConfigSchema, HoldsEveryKeyWithItsDefaultAndDescription) {
  const json the_schema = schema();
  for (const ConfigKey* key : test::every_key()) {
    const json* node = &the_schema;
    std::stringstream names(key->path);
    for (std::string name; std::getline(names, name, '.');) {
      const bool row = name.ends_with("[]");
      node = &(*node)["properties"][row ? name.substr(0, name.size() - 2) : name];
      const bool last = names.eof();
      if (!last && node->contains("anyOf")) {
        node = &(*node)["anyOf"][0];
      }
      if (!last && row) {
        node = &(*node)["items"];
      }
    }
    EXPECT_THAT((*node)["description"].get<std::string>(), testing::StartsWith(std::string(key->field.doc)))
        << key->path;
    if (node->contains("default")) {
      EXPECT_EQ((*node)["default"], json(key->default_value)) << key->path;
      EXPECT_TRUE(accepts(*node, (*node)["default"])) << key->path;
    } else {
      EXPECT_TRUE(key->field.required || key->type == ConfigKey::Type::object) << key->path;
    }
  }
}

TEST(ConfigSchema, AcceptsResolvedAndShippedConfigs) {
  const json the_schema = schema();
  EXPECT_TRUE(accepts(the_schema, json::parse(to_json(ExperimentConfig{}).dump())));
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(std::filesystem::path(EFFNETV2_SOURCE_DIR) / "configs")) {
    if (entry.path().extension() == ".json") {
      std::ifstream file(entry.path());
      EXPECT_TRUE(accepts(the_schema, json::parse(file, nullptr, true, true))) << entry.path();
    }
  }
  EXPECT_TRUE(accepts(the_schema, {{"extends", {"a.json", "b.json"}}, {"$schema", "s"}, {"description", nullptr}}));
  EXPECT_FALSE(accepts(the_schema, {{"extends", 1}}));
  EXPECT_FALSE(accepts(the_schema, {{"extends", ""}}));
}

TEST(ConfigReference, TheDocumentIsCurrent) {
  std::ifstream file(std::filesystem::path(EFFNETV2_SOURCE_DIR) / "docs/config.md");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_TRUE(text.str() == config_reference())
      << "docs/config.md is out of date; refresh it with: effnetv2 config keys --markdown > docs/config.md";
}

TEST(ConfigReference, EveryTableRowHasFourCells) {
  std::stringstream text(config_reference());
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("|")) {
      const std::string plain = std::regex_replace(line, std::regex(R"(\\\|)"), "");
      EXPECT_EQ(std::count(plain.begin(), plain.end(), '|'), 5) << line;
    }
  }
}

}  // namespace
}  // namespace effnetv2
