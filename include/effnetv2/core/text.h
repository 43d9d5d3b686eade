#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace effnetv2 {

/// Edits (insert, delete, replace, swap neighbours) that turn a into b, letter case counting half.
double edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `word`, or "" if none is near enough to be meant.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

/// ", did you mean \"x\"?" or "", to append to a message about an unknown `word`.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

/// `name` with control characters and bytes that are no UTF-8 written as \\xNN, for messages.
std::string printable(std::string_view name);
/// Each of them: what JSON takes, and the names themselves where they are ordinary.
std::vector<std::string> printable(std::span<const std::string> names);

/// A name out of a file in double quotes, printable and cut after 100 bytes, for a message of one line.
std::string in_quotes(std::string_view name);

/// "a, b and c".
std::string join_words(std::span<const std::string> words);

/// "21,458,488".
std::string with_commas(std::int64_t n);
/// "1.4 GiB", "512 B".
std::string human_bytes(double bytes);
/// "2h 05m", "3m 07s", "4.2 s".
std::string human_duration(double seconds);
/// "0.3650" for (0.365, 4): so many digits after the point.
std::string fixed(double value, int digits);
/// A field of a CSV file (RFC 4180): in quotes where commas, quotes or line ends ask for it.
std::string csv_field(std::string_view text);
/// The shortest text that reads back as the same number; "inf", "-inf" or "nan" for what is none.
std::string shortest(double value);

}  // namespace effnetv2
