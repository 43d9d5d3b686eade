#include "effnetv2/config/keys.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "effnetv2/core/text.h"

#include "visitors.h"

namespace effnetv2 {
namespace {

void collect_leaves(const ConfigKey& key, std::vector<const ConfigKey*>& leaves) {
  for (const ConfigKey& child : key.children) {
    if (child.type != ConfigKey::Type::object || child.optional) {
      leaves.push_back(&child);
    }
    collect_leaves(child, leaves);
  }
}

/// 1000000, not 1e+06.
std::string bound(double value) {
  return value == std::floor(value) && std::abs(value) < 1e15 ? std::to_string(static_cast<long long>(value))
                                                              : shortest(value);
}

std::string quoted(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "\"" : ", \"") + name + "\"";
  }
  return text;
}

/// Every key with a path of its own: not those of rows.
void collect_named(const ConfigKey& key, std::vector<const ConfigKey*>& keys) {
  for (const ConfigKey& child : key.children) {
    keys.push_back(&child);
    if (child.type == ConfigKey::Type::object) {
      collect_named(child, keys);
    }
  }
}

/// The path of the key that `name` beside `parent`'s children may be meant for: the very name elsewhere, a slip of the
/// pen here or elsewhere, the beginning of a name, words that a key is described by ("learning_rate"). "" if none.
std::string guess_key(const ConfigKey& parent, const std::string& name) {
  if (name.size() > 100) {
    return "";
  }
  std::vector<const ConfigKey*> keys;
  for (const ConfigKey& child : parent.children) {
    keys.push_back(&child);
  }
  const std::size_t siblings = keys.size();
  collect_named(config_keys(), keys);
  std::erase_if(keys, [&](const ConfigKey* key) {  // an object is not meant inside itself
    return parent.path == key->path || parent.path.starts_with(key->path + ".");
  });
  std::vector<std::string> names;
  names.reserve(keys.size());
  for (const ConfigKey* key : keys) {
    names.push_back(key->name);
  }
  std::string words = name;
  std::ranges::replace(words, '_', ' ');
  const auto named = [](const std::string& wanted) {
    return [wanted](const ConfigKey* key) { return key->name == wanted; };
  };
  // elsewhere only what can hardly be anything else
  const auto mistyped = [&](const ConfigKey* key) {
    return edit_distance(name, key->name) <= std::max(1.0, static_cast<double>(name.size()) / 5.0);
  };
  const auto begun = [&](const ConfigKey* key) { return name.size() > 2 && key->name.starts_with(name); };
  const auto described = [&](const ConfigKey* key) {
    const std::string_view doc = key->field.doc;
    const bool whole_words = doc.size() > words.size() && (doc[words.size()] < 'a' || doc[words.size()] > 'z');
    return words.size() > 4 && whole_words &&
           edit_distance(doc.substr(0, words.size()), words) <= 0.5;  // but for the capital
  };
  const std::span all(keys), here = all.first(siblings);
  const auto path_of = [](std::span<const ConfigKey* const> among, auto&& is_meant) -> std::string {
    const auto found = std::ranges::find_if(among, is_meant);
    return found == among.end() ? "" : (*found)->path;
  };
  for (const auto& guess :
       {path_of(all, named(name)), path_of(here, named(nearest(name, std::span(names).first(siblings)))),
        path_of(here, begun), path_of(all, mistyped), path_of(all, begun), path_of(all, described)}) {
    if (!guess.empty()) {
      return guess;
    }
  }
  return "";
}

}  // namespace

const ConfigKey* ConfigKey::child(std::string_view key) const {
  for (const ConfigKey& candidate : children) {
    if (candidate.name == key) {
      return &candidate;
    }
  }
  return nullptr;
}

std::vector<std::string> ConfigKey::child_names() const {
  std::vector<std::string> names;
  for (const ConfigKey& candidate : children) {
    names.push_back(candidate.name);
  }
  return names;
}

std::string ConfigKey::type_text() const {
  const std::string range = range_text(field.range);
  const bool interval = range.starts_with('[') || range.starts_with('(');
  const auto with_range = [&](const std::string& text) {
    return range.empty() ? text : text + (interval ? " in " : " ") + range;
  };
  std::string text;
  switch (type) {
    case Type::boolean:
      text = "true or false";
      break;
    case Type::integer:
      text = with_range(field.odd ? "an odd integer" : "an integer");
      break;
    case Type::number:
      text = with_range("a number");
      break;
    case Type::numbers:
      text = with_range("a list of " + std::to_string(length) + " numbers" + (range.empty() ? "" : ", each"));
      break;
    case Type::text:
      text = field.path ? "a path" : choices.empty() ? "text" : "one of " + quoted(choices);
      break;
    case Type::choice:
      text = "one of " + quoted(choices);
      break;
    case Type::object:
      text = "an object";
      break;
    case Type::rows:
      text = "a list of " + bound(field.range.min) + " to " + bound(field.range.max) + " objects";
      break;
  }
  if (optional) {
    text += field.absent_is_auto ? " or \"auto\"" : " or null";
  }
  return text;
}

const ConfigKey& config_keys() {
  static const ConfigKey root = [] {
    ConfigKey key;
    ExperimentConfig defaults;
    KeyCollector collector(key);
    describe(collector, defaults);
    return key;
  }();
  return root;
}

namespace {

template <typename Json>
const Json* walk(const Json& document, std::string_view path) {
  const Json* value = &document;
  while (!path.empty()) {
    const auto dot = std::min(path.find('.'), path.size());
    const auto found = value->find(std::string(path.substr(0, dot)));
    if (!value->is_object() || found == value->end()) {
      return nullptr;
    }
    value = &*found;
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return value;
}

}  // namespace

const nlohmann::json* find_value(const nlohmann::json& document, std::string_view path) {
  return walk(document, path);
}
const nlohmann::ordered_json* find_value(const nlohmann::ordered_json& document, std::string_view path) {
  return walk(document, path);
}

std::vector<const ConfigKey*> leaf_keys() {
  std::vector<const ConfigKey*> leaves;
  collect_leaves(config_keys(), leaves);
  return leaves;
}

std::string unknown_key_text(const ConfigKey& parent, std::string_view name) {
  const std::string guess = guess_key(parent, std::string(name));
  return guess.empty() ? "is not a key; \"effnetv2 config keys\" lists them"
                       : "is not a key, did you mean \"" + guess + "\"?";
}

std::string range_text(const Range& range) {
  const bool low = std::isfinite(range.min);
  const bool high = std::isfinite(range.max);
  if (low && high) {
    return (range.min_excluded ? "(" : "[") + bound(range.min) + ", " + bound(range.max) +
           (range.max_excluded ? ")" : "]");
  }
  if (low) {
    return (range.min_excluded ? "> " : ">= ") + bound(range.min);
  }
  if (high) {
    return (range.max_excluded ? "< " : "<= ") + bound(range.max);
  }
  return "";
}

}  // namespace effnetv2
