#pragma once

#include <string>

#include <ATen/ATen.h>

#include "effnetv2/core/error.h"
#include "effnetv2/weights/safetensors.h"
#include "effnetv2/weights/torch_reader.h"

#include "fuzz/expect.h"
#include "support/torch_archive.h"

namespace effnetv2::fuzz {

inline void safetensors(const std::string& bytes) {
  expect_read_or_refused<CheckpointError>([&] {
    const SafetensorsFile file(FileBytes("fuzz", bytes));
    for (const auto& name : file.names()) {
      file.tensor(name);
    }
  });
}

inline void torch_file(const std::string& bytes) {
  expect_read_or_refused<CheckpointError>([&] {
    for (const auto& [name, tensor] : read_torch_file(FileBytes("fuzz", bytes)).tensors) {
      tensor.clone();  // every byte of it
    }
  });
}

/// A whole archive around the pickle, whose checksum therefore fits: what a hostile writer would do.
inline void torch_pickle(const std::string& pickle) {
  torch_file(test::zip_of({{"x/data.pkl", pickle},
                           {"x/data/0", std::string(24, '\1')},
                           {"x/data/1", std::string(8, '\0')},
                           {"x/data/2", ""}}));
}

}  // namespace effnetv2::fuzz
