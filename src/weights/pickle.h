#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

namespace effnetv2 {

/// What a pickle describes, as data: nothing is imported, called or built.
struct PickleValue {
  enum class Kind {
    none,
    boolean,     ///< integer: 0 or 1
    integer,     ///< integer
    real,        ///< real
    text,        ///< text; also bytes
    tuple,       ///< items
    list,        ///< items
    dict,        ///< items: key, value, key, value, ...; a plain dict or an OrderedDict
    global,      ///< text: "module name"
    call,        ///< items: the global, then the tuple of its arguments
    persistent,  ///< items: the id
  };
  Kind kind = Kind::none;
  std::int64_t integer = 0;
  double real = 0.0;
  std::string_view text;  ///< points into the pickle, or to a constant
  std::vector<const PickleValue*> items;
};

/// Reads pickles of protocol 2 to 5 with the opcodes that state_dicts use and the globals that the caller knows:
/// anything else, a global that would run code above all, is a Defect that names it. Values are held in one place and
/// refer to each other, so depth costs no stack; at most two million of them are made.
class PickleReader {
 public:
  /// `pickle` must outlive the reader, and the texts of `globals`, each "module name", too. Throws Defect.
  PickleReader(std::string_view pickle, const std::vector<std::string_view>& globals);
  PickleReader(const PickleReader&) = delete;
  PickleReader& operator=(const PickleReader&) = delete;

  const PickleValue& root() const noexcept { return *root_; }

 private:
  class Machine;
  std::deque<PickleValue> values_;
  const PickleValue* root_ = nullptr;
};

}  // namespace effnetv2
