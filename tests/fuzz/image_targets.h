#pragma once

#include <algorithm>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

#include "effnetv2/core/error.h"
#include "effnetv2/data/decode.h"
#include "effnetv2/data/jpeg.h"
#include "effnetv2/data/pack_reader.h"

#include "fuzz/expect.h"
#include "support/pack_file.h"

namespace effnetv2::fuzz {

/// At several sizes, each of which is the picture's or none at all.
inline void jpeg(const std::string& bytes) {
  for (const int eighths : {1, 3, 5, 8}) {
    std::int64_t width = 0, height = 0;
    const auto image = decode_jpeg(bytes, [&](std::int64_t w, std::int64_t h) {
      width = (w * eighths + 7) / 8;
      height = (h * eighths + 7) / 8;
      return eighths;
    });
    expect(!image || (image->width == width && image->height == height));
  }
}

/// The header of any format; small pictures are decoded too.
inline void image_header(const std::string& bytes) {
  expect_read_or_refused<DataError>([&] {
    const auto [width, height, channels] = read_image_header(bytes, "fuzz");
    expect(width >= 1 && height >= 1 && height <= kMaxPixels / width);
    if (std::max(width, height) <= 64) {
      const Image image = decode_image(bytes, "fuzz");
      expect(image.width == width && image.height == height);
    }
  });
}

/// With checksums that fit, so that what is behind them is reached.
inline void pack(const std::string& raw) {
  const std::string bytes = test::with_fitting_checksums(raw);
  const int fd = ::memfd_create("pack", MFD_CLOEXEC);
  expect(fd >= 0 && ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  expect_read_or_refused<DataError>([&] {
    const PackReader reader("/proc/self/fd/" + std::to_string(fd));
    for (std::uint32_t i = 0; i < reader.size(); ++i) {
      reader.find("star/0000.png", 1, 1, i);
      if (!reader.bad(i)) {
        reader.read(i);
      }
    }
  });
  ::close(fd);
}

}  // namespace effnetv2::fuzz
