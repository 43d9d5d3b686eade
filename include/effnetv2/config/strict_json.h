#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace effnetv2 {

/// Deepest nesting of objects and lists that a document may have.
inline constexpr std::size_t kMaxJsonDepth = 64;

/// Whether comments and a comma after the last item are let through, for what people write by hand.
enum class Relaxed { no, yes };

/// Reads one JSON document. Throws ConfigError "<label>:<line>:<column>: ..." for anything that is not JSON, nesting
/// deeper than kMaxJsonDepth and numbers that a double cannot hold, and one line for each key
/// that an object has twice. Never overflows the stack.
nlohmann::json parse_strict_json(std::string_view text, const std::string& label, Relaxed relaxed = Relaxed::yes);

/// The same, not relaxed, and nullopt if `text` is not JSON at all.
std::optional<nlohmann::json> parse_if_json(std::string_view text, const std::string& label);

/// Whether `document` is nested at most kMaxJsonDepth deep; safe for any depth.
bool depth_is_allowed(const nlohmann::json& document);

/// Reads JSON that anyone may have written or changed. It is_discarded() where it is none, and where it is nested
/// deeper than kMaxJsonDepth: copying or showing it would take stack for each level. Json: nlohmann's json or
/// ordered_json.
template <typename Json>
Json parse_any_json(std::string_view text);

/// What a JSON file of a run may hold at most.
inline constexpr std::size_t kMostJsonBytes = std::size_t{1} << 28;

/// The object in a JSON file of a run, which may be damaged or changed by hand: null, which has no keys, if
/// parse_any_json() finds none. Throws FileError if the file cannot be read or holds more than kMostJsonBytes.
template <typename Json>
Json read_json_object(const std::filesystem::path& file);

/// Whether `text` is well-formed UTF-8, which JSON must be.
bool is_utf8(std::string_view text);

/// "a.b" for child b of a; a key with odd characters is quoted: a["x y"].
std::string join_path(const std::string& parent, std::string_view key);
/// "a[3]".
std::string join_path(const std::string& parent, std::size_t index);

/// A value as text for a message, cut to a readable length.
std::string show_value(const nlohmann::json& value);

}  // namespace effnetv2
