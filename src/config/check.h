#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "effnetv2/config/keys.h"

namespace effnetv2 {

class Document;

/// One thing wrong with the config.
struct Issue {
  std::string path;     ///< "train.optimizer.lr"
  std::string message;  ///< "must be a number >= 0, got -1"
};

/// Compares `document` with the description: unknown and missing keys, types, ranges, choices; makes paths absolute.
/// What is wrong is listed and taken out, so that the rest can be read.
std::vector<Issue> check(Document& document);

/// True if `path`, something inside it or something around it is in `issues`.
bool is_broken(const std::vector<Issue>& issues, const std::string& path);

}  // namespace effnetv2
