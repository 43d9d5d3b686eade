#include "effnetv2/core/log.h"

#include <mutex>

#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "effnetv2/core/error.h"

namespace effnetv2 {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    default:
      return spdlog::level::err;
  }
}

}  // namespace

struct Log::Impl {
  std::mutex mutex;
  std::shared_ptr<spdlog::logger> console;
  std::shared_ptr<spdlog::logger> file;
  bool verbose = false;
  std::function<void()> before, after;

  void write(spdlog::level::level_enum level, const std::string& line) {
    const std::lock_guard lock(mutex);
    if (console && console->should_log(level)) {
      if (before) {
        before();
      }
      console->log(level, spdlog::string_view_t(line));
      if (after) {
        after();
      }
    }
    if (file) {
      file->log(level, spdlog::string_view_t(line));
    }
  }
};

Log::Log(LogLevel stderr_level) : impl_(std::make_unique<Impl>()) {
  impl_->console = std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::stderr_sink_st>());
  impl_->console->set_level(to_spdlog(stderr_level));
  impl_->verbose = stderr_level == LogLevel::debug;
  impl_->console->set_pattern("%v");
  impl_->console->flush_on(spdlog::level::trace);
}

Log::~Log() = default;

std::shared_ptr<Log> Log::silent() {
  auto log = std::make_shared<Log>(LogLevel::error);
  log->impl_->console.reset();
  return log;
}

void Log::add_file(const std::filesystem::path& path) {
  if (std::error_code missing; std::filesystem::is_fifo(path, missing)) {
    throw EnvironmentError(path.string() + ": cannot open the log: it is a pipe");  // whose reader would be waited for
  }
  try {
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_st>(path.string());
    auto file = std::make_shared<spdlog::logger>("", std::move(sink));
    file->set_pattern("%Y-%m-%d %H:%M:%S %^%l%$ %v");
    file->set_level(impl_->verbose ? spdlog::level::debug : spdlog::level::info);
    file->flush_on(spdlog::level::trace);
    // a full disk is told of by what has to be kept; the diary alone stops nothing
    file->set_error_handler([](const std::string&) {});
    const std::lock_guard lock(impl_->mutex);
    impl_->file = std::move(file);
  } catch (const spdlog::spdlog_ex& e) {
    throw EnvironmentError(path.string() + ": cannot open the log: " + e.what());
  }
}

void Log::debug(const std::string& line) {
  impl_->write(spdlog::level::debug, line);
}
void Log::info(const std::string& line) {
  impl_->write(spdlog::level::info, line);
}
void Log::warn(const std::string& line) {
  impl_->write(spdlog::level::warn, line);
}
void Log::error(const std::string& line) {
  impl_->write(spdlog::level::err, line);
}

void Log::around_stderr(std::function<void()> before, std::function<void()> after) {
  const std::lock_guard lock(impl_->mutex);
  impl_->before = std::move(before);
  impl_->after = std::move(after);
}

}  // namespace effnetv2
