#pragma once

#include <string>

#include <ATen/ATen.h>
#include <sys/mman.h>
#include <unistd.h>

#include "effnetv2/core/error.h"
#include "effnetv2/data/jpeg.h"
#include "effnetv2/data/pack_reader.h"
#include "effnetv2/weights/safetensors.h"
#include "effnetv2/weights/torch_reader.h"

#include "support/pack_file.h"
#include "support/torch_archive.h"

namespace effnetv2::fuzz {

/// Reads `bytes` as a file of one kind, every tensor of it: either that works or it is a CheckpointError of one line.
template <typename Read>
void expect_read_or_refused(const Read& read) {
  try {
    for (const auto& [name, tensor] : read()) {
      tensor.clone();
    }
  } catch (const CheckpointError& e) {
    if (std::string_view(e.what()).find('\n') != std::string_view::npos) {
      __builtin_trap();
    }
  }
}

inline void safetensors(const std::string& bytes) {
  expect_read_or_refused([&] {
    const SafetensorsFile file(FileBytes("fuzz", bytes));
    NamedTensors tensors;
    for (const auto& name : file.names()) {
      tensors.emplace_back(name, file.tensor(name));
    }
    return tensors;
  });
}

inline void torch_file(const std::string& bytes) {
  expect_read_or_refused([&] { return read_torch_file(FileBytes("fuzz", bytes)).tensors; });
}

/// A whole archive around the pickle, whose checksum therefore fits: what a hostile writer would do.
inline void torch_pickle(const std::string& pickle) {
  torch_file(test::zip_of({{"x/data.pkl", pickle},
                           {"x/data/0", std::string(24, '\1')},
                           {"x/data/1", std::string(8, '\0')},
                           {"x/data/2", ""}}));
}

/// At several sizes, each of which is the picture's or none at all.
inline void jpeg(const std::string& bytes) {
  for (const int eighths : {1, 3, 5, 8}) {
    std::int64_t width = 0, height = 0;
    const auto image = decode_jpeg(bytes, [&](std::int64_t w, std::int64_t h) {
      width = (w * eighths + 7) / 8;
      height = (h * eighths + 7) / 8;
      return eighths;
    });
    if (image && (image->width != width || image->height != height)) {
      __builtin_trap();
    }
  }
}

/// With checksums that fit, so that what is behind them is reached.
inline void pack(const std::string& raw) {
  const std::string bytes = test::with_fitting_checksums(raw);
  const int fd = ::memfd_create("pack", MFD_CLOEXEC);
  if (fd < 0 || ::write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    __builtin_trap();
  }
  try {
    const PackReader reader("/proc/self/fd/" + std::to_string(fd));
    for (std::uint32_t i = 0; i < reader.size(); ++i) {
      reader.find("star/0000.png", 1, 1, i);
      if (!reader.bad(i)) {
        reader.read(i);
      }
    }
  } catch (const DataError& e) {
    if (std::string_view(e.what()).find('\n') != std::string_view::npos) {
      __builtin_trap();
    }
  }
  ::close(fd);
}

}  // namespace effnetv2::fuzz
