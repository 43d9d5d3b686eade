#include <cmath>
#include <cstdint>
#include <limits>

#include <nlohmann/json.hpp>

#include "effnetv2/config/config.h"
#include "effnetv2/config/keys.h"

namespace effnetv2 {
namespace {

using nlohmann::ordered_json;
using Type = ConfigKey::Type;

void add_range(ordered_json& schema, const Range& range, bool integer) {
  const auto bound = [&](double value) { return integer ? ordered_json(std::llround(value)) : ordered_json(value); };
  if (std::isfinite(range.min)) {
    schema[range.min_excluded ? "exclusiveMinimum" : "minimum"] = bound(range.min);
  }
  if (std::isfinite(range.max)) {
    schema[range.max_excluded ? "exclusiveMaximum" : "maximum"] = bound(range.max);
  } else if (integer) {
    schema["maximum"] = std::numeric_limits<std::int64_t>::max();
  }
}

ordered_json object_schema(const ConfigKey& key);

/// Of the value alone, without null or "auto".
ordered_json value_schema(const ConfigKey& key) {
  ordered_json schema;
  switch (key.type) {
    case Type::boolean:
      schema["type"] = "boolean";
      break;
    case Type::integer:
      schema["type"] = "integer";
      add_range(schema, key.field.range, true);
      if (key.field.odd) {
        schema["not"] = {{"multipleOf", 2}};
      }
      break;
    case Type::number:
      schema["type"] = "number";
      add_range(schema, key.field.range, false);
      break;
    case Type::numbers: {
      ordered_json item{{"type", "number"}};
      add_range(item, key.field.range, false);
      schema = {{"type", "array"}, {"items", item}, {"minItems", key.length}, {"maxItems", key.length}};
      break;
    }
    case Type::text:
    case Type::choice:
      schema["type"] = "string";
      if (!key.choices.empty()) {
        schema["enum"] = key.choices;
      }
      if (key.field.text != nullptr) {
        schema["pattern"] = key.field.text->pattern;
        schema["not"] = {{"pattern", "\n"}};  // as Python's $ stands before a last line break too
      }
      break;
    case Type::object:
      schema = object_schema(key);
      break;
    case Type::rows:
      schema = {{"type", "array"},
                {"items", object_schema(key)},
                {"minItems", std::llround(key.field.range.min)},
                {"maxItems", std::llround(key.field.range.max)}};
      break;
  }
  return schema;
}

ordered_json key_schema(const ConfigKey& key) {
  ordered_json schema;
  schema["description"] =
      std::string(key.field.doc) + (key.field.unit.empty() ? "" : " Unit: " + std::string(key.field.unit) + ".");
  ordered_json value = value_schema(key);
  if (key.optional) {
    const ordered_json absent =
        key.field.absent_is_auto ? ordered_json{{"const", "auto"}} : ordered_json{{"type", "null"}};
    schema["anyOf"] = ordered_json::array({std::move(value), absent});
  } else {
    schema.update(value);
  }
  const bool always_there = key.type == Type::object && !key.optional;
  if (!always_there && !key.field.required) {
    schema["default"] = key.default_value;
  }
  return schema;
}

ordered_json object_schema(const ConfigKey& key) {
  ordered_json properties = ordered_json::object();
  ordered_json required = ordered_json::array();
  for (const ConfigKey& child : key.children) {
    properties[child.name] = key_schema(child);
    if (child.field.required) {
      required.push_back(child.name);
    }
  }
  ordered_json schema{{"type", "object"}, {"additionalProperties", false}, {"properties", properties}};
  if (!required.empty()) {
    schema["required"] = required;
  }
  return schema;
}

}  // namespace

ordered_json config_schema() {
  ordered_json schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                      {"title", "effnetv2 experiment"},
                      {"description", "A config of effnetv2; docs/config.md has the same as tables."}};
  schema.update(object_schema(config_keys()));

  const ordered_json file{{"type", "string"}, {"minLength", 1}};
  ordered_json properties;
  properties["$schema"] = {{"description", "This schema, for editors; ignored otherwise."},
                           {"type", ordered_json::array({"string", "null"})}};
  properties["extends"] = {
      {"description",
       "Config or list of configs that this one builds on, relative to this file; later ones win, this file last."},
      {"anyOf", ordered_json::array({file, {{"type", "array"}, {"items", file}}, {{"type", "null"}}})}};
  properties.update(schema["properties"]);
  schema["properties"] = properties;
  return schema;
}

}  // namespace effnetv2
