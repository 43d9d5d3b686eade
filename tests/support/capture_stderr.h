#pragma once

#include <cstdio>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "support/temp_dir.h"

namespace effnetv2::test {

/// Catches all that the process writes to stderr while it lives.
class CaptureStderr {
 public:
  CaptureStderr() : file_(folder_ / "stderr") {
    std::fflush(stderr);
    saved_ = ::dup(STDERR_FILENO);
    const int fd = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (saved_ < 0 || fd < 0 || ::dup2(fd, STDERR_FILENO) < 0) {
      throw std::runtime_error("cannot redirect stderr");
    }
    ::close(fd);
  }
  ~CaptureStderr() {
    std::fflush(stderr);
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
  }
  CaptureStderr(const CaptureStderr&) = delete;
  CaptureStderr& operator=(const CaptureStderr&) = delete;

  /// What came so far.
  std::string text() const {
    std::fflush(stderr);
    std::ifstream in(file_);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  TempDir folder_;
  std::filesystem::path file_;
  int saved_ = -1;
};

}  // namespace effnetv2::test
