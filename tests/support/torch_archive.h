#pragma once

#include <string>
#include <utility>
#include <vector>

#include "effnetv2/core/file.h"

#include "../../src/weights/zip.h"
#include "support/temp_dir.h"

namespace effnetv2::test {

/// The bytes of a zip archive with these entries.
inline std::string zip_of(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string archive;
  ZipWriter zip([&](std::string_view bytes) { archive += bytes; });
  for (const auto& [name, bytes] : entries) {
    zip.add(name, bytes);
  }
  zip.finish();
  return archive;
}

/// A text as a pickle holds it.
inline std::string pickled(const std::string& text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  return "X" + std::string(reinterpret_cast<const char*>(&size), 4) + text;
}

/// A small whole number.
inline std::string pickled(int number) {
  return "J" + std::string(reinterpret_cast<const char*>(&number), 4);
}

inline std::string pickled_tuple(const std::vector<int>& numbers) {
  std::string text = "(";
  for (const int number : numbers) {
    text += pickled(number);
  }
  return text + "t";
}

/// What a tensor is described by; every part can be made wrong.
struct TensorPickle {
  std::string type = "torch\nFloatStorage\n";
  std::string key = "0";
  int elements = 6;
  int offset = 0;
  std::string sizes = pickled_tuple({2, 3});
  std::string strides = pickled_tuple({3, 1});

  std::string text() const {
    return "ctorch._utils\n_rebuild_tensor_v2\n((" + pickled("storage") + "c" + type + pickled(key) + pickled("cpu") +
           pickled(elements) + "tQ" + pickled(offset) + sizes + strides + "\x89}tR";
  }
};

/// {"name": value} with the frame of protocol 2.
inline std::string pickled_dict(const std::string& value, const std::string& name = "w") {
  return "\x80\x02}" + pickled(name) + value + "s.";
}

}  // namespace effnetv2::test
