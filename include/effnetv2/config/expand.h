#pragma once

#include <filesystem>
#include <string>

namespace effnetv2 {

/// `text` with ${VAR} and ${VAR:-default} replaced from the environment (the default also stands in for an empty
/// VAR); $${ gives a literal ${. Throws ConfigError for an unset VAR without default and for an unclosed brace.
std::string expand_variables(const std::string& text);

/// An absolute, normalised path: variables expanded, relative ones taken from `folder`. "" stays "".
/// Throws ConfigError like expand_variables, and for a leading ~ and text that is not UTF-8.
std::string resolve_path(const std::string& text, const std::filesystem::path& folder);

/// The text that resolve_path turns into `path` again.
std::string escape_path(const std::string& path);

}  // namespace effnetv2
