#pragma once

#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "effnetv2/config/config.h"
#include "effnetv2/config/strict_json.h"
#include "effnetv2/core/error.h"

#include "fuzz/expect.h"

namespace effnetv2::fuzz {

/// Either `read` gives a config that is the same after it was written and read again, or it throws a ConfigError, which
/// has a line for each thing that is wrong.
template <typename Read>
void expect_config_or_refused(const Read& read) {
  std::optional<ExperimentConfig> config;
  try {
    config = read();
  } catch (const ConfigError& e) {
    expect(*e.what() != '\0');
    return;
  }
  const auto written = to_json(*config);
  const auto again = parse_config(parse_strict_json(written.dump(2), "written", Relaxed::no), "/elsewhere");
  expect(to_json(again) == written);
}

/// A config file's text.
inline void config(const std::string& text) {
  expect_config_or_refused([&] {
    nlohmann::json document = parse_strict_json(text, "fuzz");
    if (document.is_object() && document.contains("extends") &&
        document["extends"].dump().find('/') != std::string::npos) {
      document.erase("extends");  // no other file is to be read, least of all one of /dev
    }
    return parse_config(document, "/nowhere");
  });
}

/// A `--set` item on each line.
inline void set(const std::string& text) {
  std::vector<std::string> items;
  std::istringstream lines(text);
  for (std::string line; items.size() < 16 && std::getline(lines, line);) {
    items.push_back(line);
  }
  expect_config_or_refused([&] { return parse_config(nlohmann::json::object(), "/nowhere", items); });
}

}  // namespace effnetv2::fuzz
