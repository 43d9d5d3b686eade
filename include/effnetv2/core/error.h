#pragma once

#include <stdexcept>
#include <string>

namespace effnetv2 {

inline constexpr int kExitDone = 0;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitEnvironment = 6;
inline constexpr int kExitInterrupted = 130;

/// Everything the library throws on purpose. what() is one message for the user: the field or file, the rule,
/// what was received and a hint. The program prints it without a backtrace and exits with exit_code().
class Error : public std::runtime_error {
 public:
  int exit_code() const noexcept { return exit_code_; }

 protected:
  Error(int exit_code, const std::string& message) : std::runtime_error(message), exit_code_(exit_code) {}

 private:
  int exit_code_;
};

/// The config or the command line is wrong: fix the JSON or the flags. Exit code 2.
struct ConfigError : Error {
  explicit ConfigError(const std::string& message) : Error(2, message) {}
};

/// The images are missing, damaged or too few: fix the files. Exit code 3.
struct DataError : Error {
  explicit DataError(const std::string& message) : Error(3, message) {}
};

/// A checkpoint or weights file is damaged or belongs to something else. Exit code 4.
struct CheckpointError : Error {
  explicit CheckpointError(const std::string& message) : Error(4, message) {}
};

/// The training diverged: a loss or weight is not finite. Exit code 5.
struct NumericError : Error {
  explicit NumericError(const std::string& message) : Error(5, message) {}
};

/// The machine refused: disk full, permission, no such device, out of memory, run directory locked. Exit code 6.
struct EnvironmentError : Error {
  explicit EnvironmentError(const std::string& message) : Error(kExitEnvironment, message) {}
};

/// The system refused a call on a file. Exit code 6.
struct FileError : EnvironmentError {
  FileError(const std::string& message, int code_) : EnvironmentError(message), code(code_) {}
  int code;  ///< errno
};

}  // namespace effnetv2
