#include "effnetv2/config/strict_json.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/core/text.h"

namespace effnetv2 {
namespace {

using nlohmann::json;

constexpr std::size_t kShownBytes = 80;  ///< of a key or value in a message
constexpr int kMostErrors = 100;

/// An iterator that tells how far the parser has read.
class Cursor {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Cursor(const char* at, const char** read) : at_(at), read_(read) {}
  reference operator*() const { return *at_; }
  Cursor& operator++() {
    *read_ = ++at_;
    return *this;
  }
  Cursor operator++(int) {
    Cursor before = *this;
    ++*this;
    return before;
  }
  bool operator==(const Cursor& other) const { return at_ == other.at_; }
  bool operator!=(const Cursor& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** read_;
};

std::string cut(std::string text, std::size_t length) {
  if (text.size() <= length) {
    return text;
  }
  while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) {
    --length;
  }
  return text.substr(0, length) + "...";
}

/// `text` with each comma that stands between a value and a closing bracket made a space, so that offsets stay.
/// Strings and comments are passed over.
std::string without_trailing_commas(std::string_view text) {
  std::string result(text);
  std::size_t comma = std::string::npos;  // the last thing seen, if it was a comma after a value
  char before = ' ';                      // the last character that counts
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const std::string_view two = text.substr(i, 2);
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      continue;
    }
    if (two == "//" || two == "/*") {
      const auto end = two == "//" ? text.find('\n', i) : text.find("*/", i + 2);
      i = end == std::string_view::npos ? text.size() : end + (two == "//" ? 0 : 1);
      continue;
    }
    if (c == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) {
        i += text[i] == '\\' ? 1 : 0;
      }
    }
    if ((c == '}' || c == ']') && comma != std::string::npos) {
      result[comma] = ' ';
    }
    const bool after_value = before != ',' && before != '{' && before != '[' && before != ':' && before != ' ';
    comma = c == ',' && after_value ? i : std::string::npos;
    before = c;
  }
  return result;
}

/// Builds the document from the parser's events and refuses what nlohmann's own builder lets through.
class Builder : public nlohmann::json_sax<json> {
 public:
  Builder(std::string_view text, std::string label) : text_(text), label_(std::move(label)), read_(text.data()) {}

  Cursor begin() { return Cursor(text_.data(), &read_); }
  Cursor end() { return Cursor(text_.data() + text_.size(), &read_); }

  bool is_json() const { return is_json_; }

  json take() {
    if (!errors_.empty()) {
      throw ConfigError(errors_);
    }
    return std::move(root_);
  }

  bool null() override { return place(json(nullptr)) != nullptr; }
  bool boolean(bool value) override { return place(json(value)) != nullptr; }
  bool number_integer(json::number_integer_t value) override { return place(json(value)) != nullptr; }
  bool number_unsigned(json::number_unsigned_t value) override { return place(json(value)) != nullptr; }
  bool number_float(json::number_float_t value, const std::string&) override { return place(json(value)) != nullptr; }
  bool string(std::string& value) override { return place(json(std::move(value))) != nullptr; }
  bool binary(json::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    key_ = std::move(name);
    if (stack_.back()->contains(key_)) {
      add_error(key_start() + 1, join_path(path(), key_) + " is there twice; an object may have a key only once");
    }
    return error_count_ < kMostErrors;
  }

  bool parse_error(std::size_t position, const std::string& token, const json::exception& error) override {
    if (error.id == 406) {
      const std::string where = stack_.empty() ? "" : here() + ": ";
      add_error(position, where + cut(token, 60) + " is too large for a number");
      return false;
    }
    is_json_ = false;
    std::string what = error.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while parsing ..."
    if (const auto colon = what.find(": "); colon != std::string::npos) {
      what = what.substr(colon + 2);
    }
    const std::size_t at = std::min(position > 0 ? position - 1 : 0, text_.size());
    const auto before = text_.substr(0, at).find_last_not_of(" \t\r\n");
    std::string hint;
    const char last = at < text_.size() ? text_[at] : ' ';
    if ((last == '}' || last == ']') && before != std::string_view::npos && text_[before] == ',') {
      hint = "; remove the comma before the closing " + std::string(1, last);
    } else if (text_.find_first_not_of(" \t\r\n") == std::string_view::npos) {
      what = "the document is empty";
      hint = "; the smallest config is {}";
    }
    add_error(position, "not valid JSON: " + printable(cut(what, 300)) + hint);
    return false;
  }

 private:
  bool open(json&& container) {
    if (stack_.size() >= kMaxJsonDepth) {
      add_error(offset(), cut(path(), 60) + ": nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
      return false;
    }
    json* const placed = place(std::move(container));
    keys_.push_back(key_);
    stack_.push_back(placed);
    return true;
  }

  bool close() {
    stack_.pop_back();
    key_ = keys_.back();
    keys_.pop_back();
    return true;
  }

  json* place(json&& value) {
    if (stack_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    json& parent = *stack_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    return &(parent[key_] = std::move(value));
  }

  /// Where the innermost open container is.
  std::string path() const {
    std::string text;
    for (std::size_t i = 1; i < stack_.size(); ++i) {
      text = stack_[i - 1]->is_array() ? join_path(text, stack_[i - 1]->size() - 1) : join_path(text, keys_[i]);
    }
    return text;
  }

  /// Where the value is that comes next, inside a container.
  std::string here() const {
    return stack_.back()->is_array() ? join_path(path(), stack_.back()->size()) : join_path(path(), key_);
  }

  /// Where the key that was just read begins: its opening quote.
  std::size_t key_start() const {
    const auto is_escaped = [&](std::size_t at) {
      std::size_t backslashes = 0;
      while (backslashes < at && text_[at - 1 - backslashes] == '\\') {
        ++backslashes;
      }
      return backslashes % 2 == 1;
    };
    std::size_t at = offset() - 2;
    while (text_[at] != '"' || is_escaped(at)) {
      --at;
    }
    return at;
  }

  std::size_t offset() const { return static_cast<std::size_t>(read_ - text_.data()); }

  void add_error(std::size_t position, const std::string& message) {
    const std::string_view before = text_.substr(0, std::min(position, text_.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const auto newline = before.rfind('\n');
    const std::size_t column = newline == std::string_view::npos ? before.size() : before.size() - newline - 1;
    ++error_count_;
    errors_ += (errors_.empty() ? "" : "\n") + label_ + ":" + std::to_string(line) + ":" +
               std::to_string(std::max<std::size_t>(column, 1)) + ": " + message;
  }

  std::string_view text_;
  std::string label_;
  const char* read_;
  json root_;
  std::vector<json*> stack_;
  std::vector<std::string> keys_;  ///< for each open container, its own key in its parent
  std::string key_;
  std::string errors_;
  int error_count_ = 0;
  bool is_json_ = true;
};

}  // namespace

json parse_strict_json(std::string_view text, const std::string& label, Relaxed relaxed) {
  const bool yes = relaxed == Relaxed::yes;
  const std::string plain = yes ? without_trailing_commas(text) : std::string(text);
  Builder builder(plain, label);
  json::sax_parse(builder.begin(), builder.end(), &builder, json::input_format_t::json, true, yes);
  return builder.take();
}

std::optional<json> parse_if_json(std::string_view text, const std::string& label) {
  Builder builder(text, label);
  json::sax_parse(builder.begin(), builder.end(), &builder, json::input_format_t::json, true, false);
  return builder.is_json() ? std::optional(builder.take()) : std::nullopt;
}

bool depth_is_allowed(const json& document) {
  std::vector<std::pair<const json*, std::size_t>> open{{&document, 1}};
  while (!open.empty()) {
    const auto [value, depth] = open.back();
    open.pop_back();
    if (!value->is_structured()) {
      continue;
    }
    if (depth > kMaxJsonDepth) {
      return false;
    }
    for (const json& child : *value) {
      open.emplace_back(&child, depth + 1);
    }
  }
  return true;
}

template <typename Json>
Json parse_any_json(std::string_view text) {
  bool too_deep = false;
  using Event = typename Json::parse_event_t;
  // while it is read: an object in the order of its keys copies the values it has when it grows
  const auto keep = [&too_deep](int depth, Event event, Json&) {
    const bool begins = event == Event::object_start || event == Event::array_start;
    const bool fits = !begins || static_cast<std::size_t>(depth) < kMaxJsonDepth;
    too_deep |= !fits;
    return fits;
  };
  Json document = Json::parse(text, keep, /*allow_exceptions=*/false);
  return too_deep ? Json(Json::value_t::discarded) : document;
}

template json parse_any_json(std::string_view);
template nlohmann::ordered_json parse_any_json(std::string_view);

template <typename Json>
Json read_json_object(const std::filesystem::path& file) {
  Json document = parse_any_json<Json>(read_file(file, kMostJsonBytes));
  return document.is_object() ? document : Json();
}

template json read_json_object(const std::filesystem::path&);
template nlohmann::ordered_json read_json_object(const std::filesystem::path&);

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xC2 ? 0
                               : lead < 0xE0 ? 2
                               : lead < 0xF0 ? 3
                               : lead < 0xF5 ? 4
                                             : 0;
    if (length == 0 || i + length > text.size()) {
      return false;
    }
    for (std::size_t j = 1; j < length; ++j) {
      if ((static_cast<unsigned char>(text[i + j]) & 0xC0) != 0x80) {
        return false;
      }
    }
    const auto second = length > 1 ? static_cast<unsigned char>(text[i + 1]) : 0;
    const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
    const bool outside = (lead == 0xED && second > 0x9F) || (lead == 0xF4 && second > 0x8F);
    if (overlong || outside) {
      return false;
    }
    i += length;
  }
  return true;
}

std::string join_path(const std::string& parent, std::string_view key) {
  const bool plain = !key.empty() && key.size() <= kShownBytes && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '$';
  });
  if (!plain) {
    return parent + "[" + show_value(json(std::string(key))) + "]";
  }
  return parent.empty() ? std::string(key) : parent + "." + std::string(key);
}

std::string join_path(const std::string& parent, std::size_t index) {
  return parent + "[" + std::to_string(index) + "]";
}

std::string show_value(const json& value) {
  if (value.is_object() && !value.empty()) {
    return "an object";
  }
  if (value.is_array() && value.size() > 16) {
    return "a list of " + std::to_string(value.size());
  }
  return cut(value.dump(-1, ' ', false, json::error_handler_t::replace), kShownBytes);
}

}  // namespace effnetv2
