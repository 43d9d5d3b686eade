#include "document.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "effnetv2/config/expand.h"
#include "effnetv2/config/keys.h"
#include "effnetv2/config/strict_json.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/core/text.h"

namespace effnetv2 {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kMaxExtends = 32;
constexpr int kMaxFiles = 1000;
constexpr std::size_t kMaxFileBytes = std::size_t{16} << 20;
constexpr std::size_t kMaxNameBytes = 4095;  // of a path, Linux's

/// What was asked for, as one line of a message.
std::string shown(std::string_view text) {
  constexpr std::size_t kShown = 200;
  return printable(text.substr(0, kShown)) + (text.size() > kShown ? "..." : "");
}

std::string begin(const std::string& label) {
  return label.empty() ? "" : label + ": ";
}

/// The files of the folder that `file` should be in, for "did you mean".
std::vector<std::string> json_files_beside(const fs::path& file) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry :
       fs::directory_iterator(file.has_parent_path() ? file.parent_path() : fs::path("."), ignored)) {
    if (entry.path().extension() == ".json") {
      names.push_back(entry.path().filename().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

void require_config_file(const fs::path& file, const std::string& label) {
  std::error_code ignored;
  const fs::file_status status = fs::status(file, ignored);
  if (fs::is_directory(status)) {
    throw ConfigError(label + ": is a folder; a config is a JSON file" +
                      (fs::exists(file / "config.json", ignored) ? ", here " + label + "/config.json" : ""));
  }
  if (status.type() == fs::file_type::not_found) {
    throw ConfigError(label + ": no such config file" +
                      did_you_mean(file.filename().string(), json_files_beside(file)));
  }
  if (fs::is_character_file(status) || fs::is_block_file(status)) {
    throw ConfigError(label + ": is a device; a config is a JSON file");
  }
  if (fs::is_regular_file(status) && fs::file_size(file, ignored) > kMaxFileBytes) {
    throw ConfigError(label + ": is larger than " + human_bytes(kMaxFileBytes) + "; a config is a JSON file");
  }
}

/// What "extends" names. Throws ConfigError.
std::vector<std::string> bases_of(const json& document, const std::string& label) {
  const auto found = document.find("extends");
  if (found == document.end() || found->is_null()) {
    return {};
  }
  std::vector<std::string> bases;
  const auto add = [&](const json& name) {
    if (!name.is_string() || name.get_ref<const std::string&>().empty()) {
      throw ConfigError(begin(label) + "extends: must be a file name or a list of them, got " + show_value(*found));
    }
    try {
      bases.push_back(expand_variables(name.get<std::string>()));
    } catch (const ConfigError& error) {
      throw ConfigError(begin(label) + "extends: " + error.what());
    }
    if (bases.back().size() > kMaxNameBytes || bases.back().find('\0') != std::string::npos) {
      throw ConfigError(begin(label) + "extends: no file can have the name " + show_value(name));
    }
  };
  if (found->is_array()) {
    std::for_each(found->begin(), found->end(), add);
  } else {
    add(*found);
  }
  return bases;
}

struct Step {
  std::string name;       ///< of an object's key
  std::size_t index = 0;  ///< of a list's element, if the name is empty
};

/// "a.b[2].c" or "a.b.2.c" as steps that the description knows. Throws ConfigError.
std::vector<Step> parse_set_path(const std::string& path) {
  std::vector<std::string> words;
  std::string word;
  bool in_brackets = false;
  for (const char c : path) {
    if (c == '.' || c == '[') {
      words.push_back(std::exchange(word, ""));
      in_brackets = c == '[';
    } else if (c == ']' && in_brackets) {
      in_brackets = false;
    } else {
      word += c;
    }
  }
  words.push_back(word);

  std::vector<Step> steps;
  const ConfigKey* key = &config_keys();
  std::string walked;
  bool in_list = false;
  for (const std::string& name : words) {
    const bool list = key->type == ConfigKey::Type::rows || key->type == ConfigKey::Type::numbers;
    if (list && !in_list) {
      Step step;
      const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), step.index);
      if (error != std::errc() || end != name.data() + name.size() || name.empty()) {
        throw ConfigError(walked + " is a list: name an element by its number, as in " + walked + "[0]");
      }
      walked = join_path(walked, step.index);
      in_list = true;
      steps.push_back(step);
      continue;
    }
    const ConfigKey* const child = key->child(name);
    if (child == nullptr) {
      if (key->children.empty()) {
        throw ConfigError(walked + " holds a value, no keys");
      }
      throw ConfigError(join_path(walked, name) + " " + unknown_key_text(*key, name));
    }
    walked = join_path(walked, name);
    key = child;
    in_list = false;
    steps.push_back({.name = name});
  }
  return steps;
}

/// What an item of a list that the file leaves out is changed in: the default.
json default_at(const std::vector<Step>& steps, std::size_t count) {
  const ConfigKey* key = &config_keys();
  for (std::size_t i = 0; i < count; ++i) {
    key = key->child(steps[i].name);
    if (key == nullptr) {
      return nullptr;
    }
  }
  return json(key->default_value);
}

}  // namespace

Document Document::from_file(const fs::path& file) {
  Document document;
  std::vector<std::string> chain;
  const std::string label = printable(file.string());
  document.origins_[""] = {.label = label, .folder = {}};
  document.add_file(file, label, chain);
  return document;
}

Document Document::from_json(const json& document, const fs::path& folder) {
  if (!depth_is_allowed(document)) {
    throw ConfigError("the config is nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
  }
  Document merged;
  std::vector<std::string> chain;
  merged.add_document(document, {.label = "", .folder = folder}, chain);
  return merged;
}

void Document::add_file(const fs::path& file, const std::string& label, std::vector<std::string>& chain) {
  if (++files_ > kMaxFiles) {
    throw ConfigError("extends: the config is made of more than " + std::to_string(kMaxFiles) + " files");
  }
  require_config_file(file, label);
  std::error_code no_path;  // of a pipe, such as <(...) in a shell
  fs::path canonical = fs::weakly_canonical(file, no_path);
  const std::string identity = (no_path ? fs::absolute(file) : canonical).string();
  const bool cycle = std::find(chain.begin(), chain.end(), identity) != chain.end();
  chain.push_back(identity);
  if (cycle || chain.size() > kMaxExtends) {
    std::string text;
    for (const std::string& link : chain) {
      text += (text.empty() ? "" : " -> ") + printable(link);
    }
    throw ConfigError(label + (cycle ? ": extends itself: " : ": too many files extend one another: ") + text);
  }
  json document = parse_strict_json(read_file(file, kMaxFileBytes), label);
  add_document(std::move(document), {.label = label, .folder = fs::absolute(file).parent_path()}, chain);
  chain.pop_back();
}

void Document::add_document(json document, const Origin& origin, std::vector<std::string>& chain) {
  if (!document.is_object()) {
    throw ConfigError(begin(origin.label) + "a config must be an object { ... }, got " + show_value(document));
  }
  std::vector<std::string> bases;
  try {
    bases = bases_of(document, origin.label);
  } catch (const ConfigError& error) {
    add_error(error.what());
  }
  for (const std::string& base : bases) {
    const fs::path file = origin.folder / base;
    const fs::path beside = fs::path(origin.label).parent_path() / base;
    const std::size_t links = chain.size();
    try {
      add_file(file, printable((origin.label.empty() ? file : beside).lexically_normal().string()), chain);
    } catch (const ConfigError& error) {
      const bool own = !fs::is_regular_file(file);
      add_error((own ? begin(origin.label) + "extends: " : "") + error.what());
      chain.resize(links);
    }
  }
  if (const auto schema = document.find("$schema");
      schema != document.end() && !schema->is_string() && !schema->is_null()) {
    add_error(begin(origin.label) + "$schema: must be text or null, got " + show_value(*schema));
  }
  document.erase("extends");
  document.erase("$schema");
  overlay("", root_, document, origin);
}

/// Once, though a base may be reached by several ways.
void Document::add_error(const std::string& error) {
  if (std::find(errors_.begin(), errors_.end(), error) == errors_.end()) {
    errors_.push_back(error);
  }
}

void Document::overlay(const std::string& path, json& under, const json& over, const Origin& origin) {
  if (under.is_object() && over.is_object()) {
    for (const auto& [key, value] : over.items()) {
      overlay(join_path(path, key), under[key], value, origin);
    }
    return;
  }
  const auto below = [&](const std::string& other) {
    return other.size() == path.size() || other[path.size()] == '.' || other[path.size()] == '[';
  };
  for (auto it = origins_.lower_bound(path); it != origins_.end() && it->first.starts_with(path);) {
    it = below(it->first) ? origins_.erase(it) : std::next(it);
  }
  under = over;
  origins_[path] = origin;
}

void Document::apply_sets(const std::vector<std::string>& sets, std::vector<std::string>& errors) {
  for (const std::string& set : sets) {
    try {
      apply_set(set);
    } catch (const ConfigError& error) {
      errors.push_back("--set " + shown(set) + ": " + error.what());
    }
  }
}

void Document::apply_set(const std::string& set) {
  const auto equals = set.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw ConfigError("must be KEY=VALUE, such as train.epochs=10");
  }
  if (!is_utf8(set)) {
    throw ConfigError("is not UTF-8, which a config must be");
  }
  const std::string text = set.substr(equals + 1);
  const std::vector<Step> steps = parse_set_path(set.substr(0, equals));
  const bool structured = text.starts_with('{') || text.starts_with('[');
  const json value =
      structured ? parse_strict_json(text, "value", Relaxed::no) : parse_if_json(text, "value").value_or(json(text));

  json* node = &root_;
  std::string path;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    if (!step.name.empty()) {
      if (node->is_null()) {
        *node = json::object();
      } else if (!node->is_object()) {
        throw ConfigError(path + " is " + show_value(*node) + " before, which has no keys");
      }
      node = &(*node)[step.name];
      path = join_path(path, step.name);
      continue;
    }
    if (node->is_null()) {
      *node = default_at(steps, i);
    }
    if (node->is_null()) {
      throw ConfigError(path + " is not given; set the whole list, or give it in the config");
    }
    if (!node->is_array()) {
      throw ConfigError(path + " is " + show_value(*node) + " before, which is no list");
    }
    if (step.index >= node->size()) {
      throw ConfigError(path + " has " + std::to_string(node->size()) + " elements, numbered from 0");
    }
    node = &(*node)[step.index];
    path = join_path(path, step.index);
  }
  overlay(path, *node, value, {.label = "--set " + shown(set), .folder = fs::current_path()});
}

const Origin& Document::origin(std::string path) const {
  for (;;) {
    if (const auto found = origins_.find(path); found != origins_.end()) {
      return found->second;
    }
    if (path.empty()) {
      static const Origin nowhere;
      return nowhere;
    }
    const auto cut = path.find_last_of(".[");
    path.resize(cut == std::string::npos ? 0 : cut);
  }
}

}  // namespace effnetv2
