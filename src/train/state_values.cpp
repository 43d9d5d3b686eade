#include "effnetv2/train/state_values.h"

#include <algorithm>
#include <utility>

#include "effnetv2/config/strict_json.h"
#include "effnetv2/core/error.h"
#include "effnetv2/train/checkpoint.h"

namespace effnetv2 {
namespace {

using nlohmann::json;

bool is_object(const json& value) {
  return value.is_object();
}
bool is_number(const json& value) {
  return value.is_number();
}
bool is_flag(const json& value) {
  return value.is_boolean();
}
bool is_text(const json& value) {
  return value.is_string();
}
bool is_count(const json& value) {
  if (!value.is_number_integer()) {
    return false;
  }
  const auto count = value.get<std::int64_t>();  // above 2^63 negative
  return count >= 0 && count <= std::int64_t{1} << 53;
}
bool is_numbers(const json& value) {
  return value.is_array() && std::all_of(value.begin(), value.end(), is_number);
}
bool is_texts(const json& value) {
  return value.is_array() && std::all_of(value.begin(), value.end(), is_text);
}

}  // namespace

StateValues::StateValues(const TrainState& state) : StateValues(state.values, state.name, "") {
  if (!state.values.is_object()) {
    throw CheckpointError(state.name + ": is no whole training state: its values are " + show_value(state.values));
  }
}

StateValues::StateValues(const json& values, std::string state, std::string path)
    : values_(values), state_(std::move(state)), path_(std::move(path)) {}

void StateValues::fail(const std::string& key, const std::string& what) const {
  throw CheckpointError(state_ + ": is no whole training state: " + join_path(path_, key) + " " + what);
}

const json& StateValues::any(const std::string& key) const {
  const auto found = values_.find(key);
  if (found == values_.end()) {
    fail(key, "is missing");
  }
  return *found;
}

const json& StateValues::of_kind(const std::string& key, bool (*right)(const json&), const char* must) const {
  const json& value = any(key);
  if (!right(value)) {
    fail(key, std::string("must be ") + must + ", is " + show_value(value));
  }
  return value;
}

StateValues StateValues::object(const std::string& key) const {
  return {of_kind(key, is_object, "an object"), state_, join_path(path_, key)};
}

std::int64_t StateValues::count(const std::string& key) const {
  return of_kind(key, is_count, "a whole number from 0 to 2^53").get<std::int64_t>();
}

double StateValues::number(const std::string& key) const {
  return of_kind(key, is_number, "a number").get<double>();
}

std::vector<double> StateValues::numbers(const std::string& key, std::size_t length) const {
  auto numbers = of_kind(key, is_numbers, "a list of numbers").get<std::vector<double>>();
  if (numbers.size() != length) {
    fail(key, "must hold " + std::to_string(length) + " numbers, has " + std::to_string(numbers.size()));
  }
  return numbers;
}

bool StateValues::flag(const std::string& key) const {
  return of_kind(key, is_flag, "true or false").get<bool>();
}

std::string StateValues::text(const std::string& key) const {
  return of_kind(key, is_text, "text").get<std::string>();
}

std::vector<std::string> StateValues::texts(const std::string& key) const {
  return of_kind(key, is_texts, "a list of texts").get<std::vector<std::string>>();
}

}  // namespace effnetv2
