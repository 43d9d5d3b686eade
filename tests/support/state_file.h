#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include <nlohmann/json.hpp>

#include "effnetv2/core/error.h"
#include "effnetv2/weights/checksum.h"
#include "effnetv2/weights/safetensors.h"

// Training states (src/train/checkpoint.cpp) that are made to mislead, not damaged: their checksums fit.
namespace effnetv2::test {

/// A whole state without tensors whose values are `text`, which must be UTF-8.
inline std::string state_file(const std::string& text, const std::string& format = "effnetv2.state.3") {
  const nlohmann::json metadata{{"format", format}, {"checksum", checksum({}, text)}, {"state", text}};
  const std::string header = nlohmann::json{{"__metadata__", metadata}}.dump();
  const std::uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header;
}

/// The same file with the checksum that its contents have, where it has one of that length.
inline std::string with_fitting_checksum(std::string bytes) {
  try {
    const SafetensorsFile file(FileBytes("state", bytes));
    const Metadata& metadata = file.metadata();
    NamedTensors tensors;
    for (const auto& name : file.names()) {
      tensors.emplace_back(name, file.tensor(name));
    }
    const std::string fitting = checksum(tensors, metadata.at("state"));
    if (const auto at = bytes.find(metadata.at("checksum")); metadata.at("checksum").size() == fitting.size()) {
      bytes.replace(at, fitting.size(), fitting);
    }
  } catch (const CheckpointError&) {
    // no safetensors file
  } catch (const std::out_of_range&) {
    // without a place for one, or with one that is written in another way
  }
  return bytes;
}

}  // namespace effnetv2::test
