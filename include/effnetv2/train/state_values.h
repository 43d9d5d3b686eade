#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace effnetv2 {

struct TrainState;

/// Reads the values of a training state by their kind. Each function throws CheckpointError, naming the state and the
/// place in it, if the value is missing or of another kind. Borrows the state.
class StateValues {
 public:
  explicit StateValues(const TrainState& state);

  /// An object that is one of the values.
  StateValues object(const std::string& key) const;
  bool has(const std::string& key) const { return values_.contains(key); }
  /// Whatever is there.
  const nlohmann::json& any(const std::string& key) const;
  /// A whole number from 0 to 2^53, which bears some arithmetic.
  std::int64_t count(const std::string& key) const;
  double number(const std::string& key) const;
  std::vector<double> numbers(const std::string& key, std::size_t length) const;
  bool flag(const std::string& key) const;
  std::string text(const std::string& key) const;
  std::vector<std::string> texts(const std::string& key) const;

  /// Throws CheckpointError: "<state>: is no whole training state: <place of key> <what>".
  [[noreturn]] void fail(const std::string& key, const std::string& what) const;

 private:
  StateValues(const nlohmann::json& values, std::string state, std::string path);
  /// The value, of which `right` is true; else `must` says of what kind it had to be.
  const nlohmann::json& of_kind(const std::string& key, bool (*right)(const nlohmann::json&), const char* must) const;

  const nlohmann::json& values_;
  std::string state_, path_;
};

}  // namespace effnetv2
