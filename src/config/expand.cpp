#include "effnetv2/config/expand.h"

#include <algorithm>
#include <cstdlib>

#include "effnetv2/config/strict_json.h"
#include "effnetv2/core/error.h"

namespace effnetv2 {
namespace {

bool is_variable_name(const std::string& name) {
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::string value_of(const std::string& inside) {
  const auto split = inside.find(":-");
  const std::string name = inside.substr(0, split);
  if (!is_variable_name(name)) {
    throw ConfigError(show_value("${" + inside + "}") +
                      " is not ${VAR} or ${VAR:-default}; write $${ for a literal ${");
  }
  const char* const value = std::getenv(name.c_str());
  if (split != std::string::npos) {
    if (inside.find("${", split) != std::string::npos) {
      throw ConfigError(show_value("${" + inside + "}") + ": a default cannot hold another ${VAR}");
    }
    return value != nullptr && *value != '\0' ? value : inside.substr(split + 2);
  }
  if (value == nullptr) {
    throw ConfigError("the environment variable " + name.substr(0, 100) + " is not set; set it or write ${" +
                      name.substr(0, 100) + ":-default}");
  }
  return value;
}

}  // namespace

std::string expand_variables(const std::string& text) {
  std::string expanded;
  for (std::size_t i = 0; i < text.size();) {
    if (text.compare(i, 3, "$${") == 0) {
      expanded += "${";
      i += 3;
    } else if (text.compare(i, 2, "${") == 0) {
      const auto close = text.find('}', i);
      if (close == std::string::npos) {
        throw ConfigError(show_value(text) + " has a ${ without its }; write $${ for a literal ${");
      }
      expanded += value_of(text.substr(i + 2, close - i - 2));
      i = close + 1;
    } else {
      expanded += text[i++];
    }
  }
  return expanded;
}

std::string resolve_path(const std::string& text, const std::filesystem::path& folder) {
  const std::string expanded = expand_variables(text);
  if (expanded.empty()) {
    return "";
  }
  if (expanded == "~" || expanded.starts_with("~/")) {
    throw ConfigError(show_value(expanded) + ": ~ has no meaning here; write ${HOME} instead");
  }
  if (expanded.find('\0') != std::string::npos) {
    throw ConfigError("a path cannot hold a zero byte");
  }
  std::string path = (std::filesystem::absolute(folder) / expanded).lexically_normal().string();
  if (path.size() > 1 && path.ends_with('/')) {
    path.pop_back();
  }
  if (!is_utf8(path)) {
    throw ConfigError(show_value(path) + " is not UTF-8, which a config must be; rename the folder");
  }
  return path;
}

std::string escape_path(const std::string& path) {
  std::string escaped;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path.compare(i, 2, "${") == 0) {
      escaped += '$';
    }
    escaped += path[i];
  }
  return escaped;
}

}  // namespace effnetv2
