#pragma once

#include <limits>
#include <span>
#include <string_view>

namespace effnetv2 {

/// Allowed values of a number, or of each number of a list.
struct Range {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool min_excluded = false;
  bool max_excluded = false;
};

constexpr Range at_least(double min) {
  return {.min = min};
}
constexpr Range above(double min) {
  return {.min = min, .min_excluded = true};
}
/// [min, max]
constexpr Range within(double min, double max) {
  return {.min = min, .max = max};
}
/// [min, max)
constexpr Range half_open(double min, double max) {
  return {.min = min, .max = max, .max_excluded = true};
}
/// (min, max]
constexpr Range above_to(double min, double max) {
  return {.min = min, .max = max, .min_excluded = true};
}
/// (min, max)
constexpr Range between(double min, double max) {
  return {.min = min, .max = max, .min_excluded = true, .max_excluded = true};
}

/// What a text must look like.
struct TextRule {
  std::string_view wording;  ///< "auto, cpu, cuda or cuda:N"
  std::string_view pattern;  ///< the same for the JSON Schema, as an ECMAScript regular expression
  bool (*matches)(std::string_view text) = nullptr;
};

/// Whether a key changes the results of a run.
enum class Semantic { yes, no, without_index };  // without_index: as text up to ':', so that cuda:0 equals cuda:1

/// Everything about a key but its value; the default is what the struct holds.
struct Field {
  std::string_view key;
  std::string_view doc;
  std::string_view unit = {};
  Range range = {};
  Semantic semantic = Semantic::yes;
  bool path = false;                               ///< a file or folder: ${VAR} expands, stored absolute
  bool odd = false;                                ///< only odd integers
  bool required = false;                           ///< has no default
  bool absent_is_auto = false;                     ///< an empty optional is written "auto", not null
  const TextRule* text = nullptr;                  ///< texts
  std::span<const std::string_view> choices = {};  ///< texts of a closed list; enums bring their own
  std::string_view used_by = {};  ///< "adam, adamw": the values of the sibling "type" that read this key
};

}  // namespace effnetv2
