#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "effnetv2/config/expand.h"
#include "effnetv2/config/experiment_description.h"
#include "effnetv2/config/keys.h"

namespace effnetv2 {

/// Writes every described key of a struct into an object.
class Writer {
 public:
  template <typename T>
  void operator()(const Field& field, T& value) {
    object_[std::string(field.key)] = write(field, value);
  }

  nlohmann::ordered_json take() { return std::move(object_); }

  static nlohmann::ordered_json write(const Field&, bool value) { return value; }
  static nlohmann::ordered_json write(const Field&, std::int64_t value) { return value; }
  static nlohmann::ordered_json write(const Field&, std::uint64_t value) { return value; }
  static nlohmann::ordered_json write(const Field&, double value) { return value; }
  static nlohmann::ordered_json write(const Field& field, std::string& value) {
    return field.path ? escape_path(value) : value;
  }
  template <std::size_t N>
  static nlohmann::ordered_json write(const Field&, std::array<double, N>& value) {
    return value;
  }
  template <typename T>
  static nlohmann::ordered_json write(const Field& field, std::optional<T>& value) {
    if (value) {
      return write(field, *value);
    }
    return field.absent_is_auto ? nlohmann::ordered_json("auto") : nlohmann::ordered_json(nullptr);
  }
  template <typename T>
  static nlohmann::ordered_json write(const Field& field, std::vector<T>& rows) {
    auto list = nlohmann::ordered_json::array();
    for (T& row : rows) {
      list.push_back(write(field, row));
    }
    return list;
  }
  template <typename E>
  requires std::is_enum_v<E>
  static nlohmann::ordered_json write(const Field&, E value) { return name_of(value); }
  template <typename T>
  requires std::is_class_v<T>
  static nlohmann::ordered_json write(const Field&, T& config) {
    Writer writer;
    describe(writer, config);
    return writer.take();
  }

 private:
  nlohmann::ordered_json object_ = nlohmann::ordered_json::object();
};

/// Sets every described key that a checked object holds; the others keep their value.
class Reader {
 public:
  explicit Reader(const nlohmann::json& object) : object_(object) {}

  template <typename T>
  void operator()(const Field& field, T& value) {
    if (const auto found = object_.find(std::string(field.key)); found != object_.end()) {
      read(*found, value);
    }
  }

 private:
  static void read(const nlohmann::json& in, bool& out) { out = in.get<bool>(); }
  static void read(const nlohmann::json& in, std::int64_t& out) { out = in.get<std::int64_t>(); }
  static void read(const nlohmann::json& in, std::uint64_t& out) { out = in.get<std::uint64_t>(); }
  static void read(const nlohmann::json& in, double& out) { out = in.get<double>(); }
  static void read(const nlohmann::json& in, std::string& out) { out = in.get<std::string>(); }
  template <std::size_t N>
  static void read(const nlohmann::json& in, std::array<double, N>& out) {
    out = in.get<std::array<double, N>>();
  }
  template <typename T>
  static void read(const nlohmann::json& in, std::optional<T>& out) {
    if (in.is_null()) {
      out.reset();
    } else {
      read(in, out.emplace());
    }
  }
  template <typename T>
  static void read(const nlohmann::json& in, std::vector<T>& out) {
    out.clear();
    for (const nlohmann::json& row : in) {
      read(row, out.emplace_back());
    }
  }
  template <typename E>
  requires std::is_enum_v<E>
  static void read(const nlohmann::json& in, E& out) {
    const auto& name = in.get_ref<const std::string&>();
    for (std::size_t i = 0; i < kNames<E>.size(); ++i) {
      if (name == kNames<E>[i]) {
        out = static_cast<E>(i);
      }
    }
  }
  template <typename T>
  requires std::is_class_v<T>
  static void read(const nlohmann::json& in, T& out) {
    Reader reader(in);
    describe(reader, out);
  }

  const nlohmann::json& object_;
};

/// Collects the description itself.
class KeyCollector {
 public:
  explicit KeyCollector(ConfigKey& parent) : parent_(parent) {}

  template <typename T>
  void operator()(const Field& field, T& value) {
    ConfigKey& key = parent_.children.emplace_back();
    key.name = field.key;
    key.path = parent_.path.empty() ? key.name : parent_.path + "." + key.name;
    key.field = field;
    key.default_value = Writer::write(field, value);
    collect(key, value);
  }

 private:
  using Type = ConfigKey::Type;

  static void collect(ConfigKey& key, bool&) { key.type = Type::boolean; }
  static void collect(ConfigKey& key, std::int64_t&) { key.type = Type::integer; }
  static void collect(ConfigKey& key, std::uint64_t&) { key.type = Type::integer; }
  static void collect(ConfigKey& key, double&) { key.type = Type::number; }
  static void collect(ConfigKey& key, std::string&) {
    key.type = Type::text;
    key.choices.assign(key.field.choices.begin(), key.field.choices.end());
  }
  template <std::size_t N>
  static void collect(ConfigKey& key, std::array<double, N>&) {
    key.type = Type::numbers;
    key.length = N;
  }
  template <typename T>
  static void collect(ConfigKey& key, std::optional<T>& value) {
    key.optional = true;
    T inner = value.value_or(T{});
    collect(key, inner);
  }
  template <typename T>
  static void collect(ConfigKey& key, std::vector<T>&) {
    key.type = Type::rows;
    ConfigKey row;
    row.path = key.path + "[]";
    T defaults{};
    KeyCollector collector(row);
    describe(collector, defaults);
    key.children = std::move(row.children);
  }
  template <typename E>
  requires std::is_enum_v<E>
  static void collect(ConfigKey& key, E&) {
    key.type = Type::choice;
    key.choices.assign(kNames<E>.begin(), kNames<E>.end());
  }
  template <typename T>
  requires std::is_class_v<T>
  static void collect(ConfigKey& key, T& config) {
    key.type = Type::object;
    KeyCollector collector(key);
    describe(collector, config);
  }

  ConfigKey& parent_;
};

}  // namespace effnetv2
