#include "effnetv2/core/log.h"

#include <map>
#include <sstream>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"

#include "support/capture_stderr.h"
#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

using test::CaptureStderr;
using test::TempDir;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

void write_all_levels(Log& log) {
  log.debug("a detail");
  log.info("a note");
  log.warn("a warning");
  log.error("an error");
}

TEST(Log, KeepsLowerLevelsFromStderr) {
  const std::map<LogLevel, std::string> expected{{LogLevel::debug, "a detail\na note\na warning\nan error\n"},
                                                 {LogLevel::info, "a note\na warning\nan error\n"},
                                                 {LogLevel::warn, "a warning\nan error\n"},
                                                 {LogLevel::error, "an error\n"}};
  for (const auto& [level, lines] : expected) {
    const CaptureStderr capture;
    Log log(level);
    write_all_levels(log);
    EXPECT_EQ(capture.text(), lines);
  }
}

TEST(Log, WritesTheFileWithTimeAndLevel) {
  const TempDir dir;
  {
    const CaptureStderr capture;
    Log log(LogLevel::error);
    log.add_file(dir / "log.txt");
    write_all_levels(log);
    EXPECT_EQ(capture.text(), "an error\n");
    EXPECT_THAT(read_file(dir / "log.txt"), MatchesRegex("[0-9]+-[0-9]+-[0-9]+ [0-9]+:[0-9]+:[0-9]+ info a note\n"
                                                         "[^\n]+ warning a warning\n[^\n]+ error an error\n"));
  }
  {
    const CaptureStderr capture;
    Log log(LogLevel::debug);
    log.add_file(dir / "log.txt");
    write_all_levels(log);
  }
  const std::string text = read_file(dir / "log.txt");
  EXPECT_THAT(text, HasSubstr("debug a detail\n"));
  EXPECT_EQ(text.find("a note"), text.find(" a note") + 1);
  EXPECT_NE(text.find("a note"), text.rfind("a note")) << "the earlier lines are kept";
}

TEST(Log, SilentTellsOnlyItsFile) {
  const TempDir dir;
  const CaptureStderr capture;
  const auto log = Log::silent();
  log->add_file(dir / "log.txt");
  write_all_levels(*log);
  EXPECT_EQ(capture.text(), "");
  EXPECT_THAT(read_file(dir / "log.txt"), HasSubstr("an error"));
}

TEST(Log, TextIsNoFormat) {
  const CaptureStderr capture;
  Log log;
  log.info("{} %s %v {0}");
  EXPECT_EQ(capture.text(), "{} %s %v {0}\n");
}

TEST(Log, LetsTheProgressBarStepAside) {
  const CaptureStderr capture;
  Log log(LogLevel::info);
  int inside = 0, times = 0;
  log.around_stderr([&] { ++inside; },
                    [&] {
                      --inside;
                      ++times;
                      EXPECT_THAT(capture.text(), Not(HasSubstr("hidden")));
                    });
  log.info("one");
  log.debug("hidden");
  log.warn("two");
  EXPECT_EQ(inside, 0);
  EXPECT_EQ(times, 2);
  log.around_stderr({}, {});
  log.info("three");
  EXPECT_EQ(times, 2);
  EXPECT_EQ(capture.text(), "one\ntwo\nthree\n");
}

TEST(Log, NamesAFileItCannotOpen) {
  const TempDir dir;
  dir.write("file", "");
  EXPECT_THROW(Log::silent()->add_file(dir / "file/log.txt"), EnvironmentError);
}

TEST(Log, APipeIsNoFileOfIt) {
  const TempDir dir;
  ASSERT_EQ(::mkfifo((dir / "log.txt").c_str(), 0600), 0);
  EXPECT_THROW(Log::silent()->add_file(dir / "log.txt"), EnvironmentError);
}

TEST(LogThreads, LinesStayWhole) {
  const TempDir dir;
  const auto log = Log::silent();
  log->add_file(dir / "log.txt");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&log, t] {
      for (int i = 0; i < 100; ++i) {
        log->info("thread " + std::to_string(t) + " line " + std::to_string(i) + " end");
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  std::istringstream lines(read_file(dir / "log.txt"));
  std::vector<int> next(4);
  for (std::string date, time, level, word, end; lines >> date;) {
    int thread = -1, line = -1;
    lines >> time >> level >> word >> thread >> word >> line >> end;
    ASSERT_EQ(end, "end");
    ASSERT_EQ(line, next.at(static_cast<std::size_t>(thread))++);
  }
  EXPECT_EQ(next, std::vector<int>(4, 100));
}

}  // namespace
}  // namespace effnetv2
