#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace effnetv2 {

enum class LogLevel { debug, info, warn, error };

/// Progress and warnings for people: to stderr and, for a run, to its log.txt as well. One line a call.
/// Thread-safe. The library is handed one; it never prints by itself.
class Log {
 public:
  /// Lines below `stderr_level` are kept from stderr; the file takes info and above, and debug if stderr does.
  explicit Log(LogLevel stderr_level = LogLevel::info);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  /// A log that keeps everything to itself, for tests and for verbs with --json.
  static std::shared_ptr<Log> silent();

  /// Appends to `path` from now on, with time and level. Throws EnvironmentError if it cannot be opened.
  void add_file(const std::filesystem::path& path);
  void debug(const std::string& line);
  void info(const std::string& line);
  void warn(const std::string& line);
  void error(const std::string& line);

  /// Called around each line on stderr, so that a progress bar can step aside.
  void around_stderr(std::function<void()> before, std::function<void()> after);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnetv2
