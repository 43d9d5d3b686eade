#include "effnetv2/core/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace effnetv2 {
namespace {

double replace_cost(char a, char b) {
  if (a == b) {
    return 0.0;
  }
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  return lower(a) == lower(b) ? 0.5 : 1.0;
}

/// Bytes of the UTF-8 character that `text` begins with; 0 for a control character or what is no UTF-8, overlong forms
/// and surrogates too (RFC 3629).
std::size_t visible_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) {
    return lead >= 0x20 && lead != 0x7F ? 1 : 0;
  }
  const std::size_t length = lead >= 0xF5 ? 0 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
  if (length == 0 || length > text.size()) {
    return 0;
  }
  const unsigned least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < least || byte(1) > most) {
    return 0;
  }
  for (std::size_t k = 2; k < length; ++k) {
    if ((byte(k) & 0xC0) != 0x80) {
      return 0;
    }
  }
  return length;
}

}  // namespace

double edit_distance(std::string_view a, std::string_view b) {
  std::vector<double> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    last[j] = static_cast<double>(j);
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<double>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1.0, row[j - 1] + 1.0, last[j - 1] + replace_cost(a[i - 1], b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1.0);
      }
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
  std::string best;
  double best_distance = std::max(2.0, static_cast<double>(word.size()) / 3.0) + 0.25;
  for (const auto& candidate : candidates) {
    const double letters = static_cast<double>(std::max(word.size(), candidate.size()));
    if (static_cast<double>(std::min(word.size(), candidate.size())) < letters / 2.0) {
      continue;  // so many letters have to be put in that the rest, which takes long for a long word, does not matter
    }
    const double distance = edit_distance(word, candidate);
    if (distance < best_distance && distance <= letters / 2.0) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
  const std::string guess = nearest(word, candidates);
  return guess.empty() ? "" : ", did you mean \"" + guess + "\"?";
}

std::string printable(std::string_view name) {
  std::string text;
  for (std::size_t i = 0; i < name.size();) {
    const std::size_t length = visible_character(name.substr(i));
    if (length == 0) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\x%02X", static_cast<unsigned char>(name[i]));
      text += escaped;
      ++i;
    } else {
      text += name.substr(i, length);
      i += length;
    }
  }
  return text;
}

std::string in_quotes(std::string_view name) {
  constexpr std::size_t kShown = 100;
  return "\"" + printable(name.substr(0, kShown)) + (name.size() > kShown ? "...\"" : "\"");
}

std::vector<std::string> printable(std::span<const std::string> names) {
  std::vector<std::string> texts;
  texts.reserve(names.size());
  for (const auto& name : names) {
    texts.push_back(printable(name));
  }
  return texts;
}

std::string join_words(std::span<const std::string> words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) {
      text += i + 1 == words.size() ? " and " : ", ";
    }
    text += words[i];
  }
  return text;
}

std::string with_commas(std::int64_t n) {
  const std::string digits = std::to_string(n);
  const std::size_t sign = n < 0 ? 1 : 0;
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > sign && (digits.size() - i) % 3 == 0) {
      text += ',';
    }
    text += digits[i];
  }
  return text;
}

std::string human_bytes(double bytes) {
  static constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= (unit == 0 ? 1023.5 : 1023.95) && unit + 1 < units.size()) {  // what would be printed as 1024
    bytes /= 1024.0;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
  return text;
}

std::string human_duration(double seconds) {
  char text[32];
  if (seconds < 59.95) {
    std::snprintf(text, sizeof text, "%.1f s", seconds);
  } else {
    const auto whole = static_cast<long long>(std::lround(seconds));
    if (whole < 3600) {
      std::snprintf(text, sizeof text, "%lldm %02llds", whole / 60, whole % 60);
    } else {
      std::snprintf(text, sizeof text, "%lldh %02lldm", whole / 3600, whole % 3600 / 60);
    }
  }
  return text;
}

std::string fixed(double value, int digits) {
  char text[350];  // the largest double has 309 digits before the point
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    return std::string(text);
  }
  std::string field = "\"";
  for (const char c : text) {
    field += c == '"' ? "\"\"" : std::string(1, c);
  }
  return field + "\"";
}

std::string shortest(double value) {
  char text[32];
  const auto result = std::to_chars(text, text + sizeof text, std::isnan(value) ? std::fabs(value) : value);
  return std::string(text, result.ptr);
}

}  // namespace effnetv2
