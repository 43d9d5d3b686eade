#pragma once

#include <exception>
#include <string>

namespace effnetv2::cli {

/// How the program ends when something was thrown.
struct Failure {
  int exit_code = 1;
  std::string message;  ///< for stderr, without "error: "
};

/// Exit code and message for whatever was thrown: our own errors as they say; memory, CUDA driver and file system
/// 6; anything else is a bug, 1. Never a backtrace.
Failure describe_failure(const std::exception_ptr& thrown);

}  // namespace effnetv2::cli
