#include "effnetv2/core/file.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "effnetv2/core/error.h"

#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

using test::TempDir;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::vector<std::string> names_in(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

template <typename Work>
std::string error_of(const Work& work) {
  try {
    work();
  } catch (const EnvironmentError& e) {
    EXPECT_EQ(e.exit_code(), 6);
    return e.what();
  }
  return "no EnvironmentError";
}

/// Not root while it lives, so that permissions hold.
class Unprivileged {
 public:
  Unprivileged() : was_root_(::geteuid() == 0) {
    if (was_root_) {
      EXPECT_EQ(::seteuid(65534), 0);
    }
  }
  ~Unprivileged() {
    if (was_root_) {
      EXPECT_EQ(::seteuid(0), 0);
    }
  }

 private:
  bool was_root_;
};

TEST(ReadFile, GivesEveryByte) {
  const TempDir dir;
  std::string bytes;
  for (int i = 0; i < 300000; ++i) {
    bytes += static_cast<char>(i * 7);
  }
  EXPECT_EQ(read_file(dir.write("big", bytes)), bytes);
  EXPECT_EQ(read_file(dir.write("empty", "")), "");
}

TEST(ReadFile, NamesWhatItCannotRead) {
  const TempDir dir;
  try {
    read_file(dir / "missing");
    ADD_FAILURE() << "no FileError";
  } catch (const FileError& e) {
    EXPECT_EQ(e.code, ENOENT);
  }
  EXPECT_THAT(error_of([&] { read_file(dir / "missing"); }),
              AllOf(HasSubstr((dir / "missing").string()), HasSubstr("No such file")));
  EXPECT_THAT(error_of([&] { read_file(dir.path()); }), HasSubstr("Is a directory"));
  EXPECT_THAT(error_of([&] { read_file(dir / "new\nline"); }), HasSubstr("new\\x0Aline"));
}

TEST(ReadFile, ReadsNoMoreThanItIsAllowed) {
  const TempDir dir;
  const auto file = dir.write("four", "1234");
  EXPECT_EQ(read_file(file, 4), "1234");
  EXPECT_THAT(error_of([&] { read_file(file, 3); }), AllOf(HasSubstr(file.string()), HasSubstr("larger than 3 B")));
  std::filesystem::resize_file(file, std::uintmax_t{1} << 40);  // sparse
  EXPECT_THAT(error_of([&] { read_file(file, 1 << 20); }), HasSubstr("larger than 1.0 MiB"));
  EXPECT_THAT(error_of([] { read_file("/dev/zero"); }), HasSubstr("/dev/zero: cannot read: it is a device"));
}

TEST(AppendFile, WaitsForNoReaderOfAPipe) {
  const TempDir dir;
  const auto pipe = dir / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(error_of([&] { AppendFile file(pipe); }), HasSubstr("pipe"));
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  EXPECT_THAT(error_of([&] { AppendFile file(pipe); }), HasSubstr("in a pipe"));
  ::close(reader);
}

TEST(ReadFileThreads, WaitsForThePipeOfAWriterAlone) {
  const TempDir dir;
  const auto pipe = dir / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(read_file(pipe), "") << "nobody writes";
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  const int writer = ::open(pipe.c_str(), O_WRONLY);
  ASSERT_GE(writer, 0);
  std::thread slow([writer] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(::write(writer, "late", 4), 4);
    ::close(writer);
  });
  EXPECT_EQ(read_file(pipe), "late");
  slow.join();
  ::close(reader);
  std::thread endless([&] {
    std::ofstream out(pipe);
    while (out << std::string(1 << 16, 'x')) {
    }
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // until it waits for a reader
  std::signal(SIGPIPE, SIG_IGN);
  EXPECT_THAT(error_of([&] { read_file(pipe, 1 << 20); }), HasSubstr("larger than 1.0 MiB"));
  endless.join();
}

TEST(AtomicFile, AppearsWholeWithCommit) {
  const TempDir dir;
  {
    AtomicFile file(dir / "a");
    file.write("one ");
    file.write("two");
    EXPECT_FALSE(std::filesystem::exists(dir / "a"));
    file.commit();
    EXPECT_EQ(read_file(dir / "a"), "one two");
  }
  write_file(dir / "a", "three");
  EXPECT_EQ(read_file(dir / "a"), "three");
  EXPECT_EQ(names_in(dir.path()), std::vector<std::string>{"a"});
}

TEST(AtomicFile, WithoutCommitTheOldContentStays) {
  const TempDir dir;
  dir.write("a", "old");
  {
    AtomicFile file(dir / "a");
    file.write("new and much longer");
    EXPECT_EQ(names_in(dir.path()).size(), 2U);
  }
  EXPECT_EQ(read_file(dir / "a"), "old");
  EXPECT_EQ(names_in(dir.path()), std::vector<std::string>{"a"});
}

TEST(AtomicFile, FailsPlainlyAndLeavesNothing) {
  const TempDir dir;
  EXPECT_THAT(error_of([&] { AtomicFile(dir / "no/such/a"); }), HasSubstr("No such file"));
  std::filesystem::create_directory(dir / "folder");
  EXPECT_THAT(error_of([&] { write_file(dir / "folder", "text"); }),
              AllOf(HasSubstr((dir / "folder").string()), HasSubstr("cannot replace")));
  EXPECT_EQ(names_in(dir.path()), std::vector<std::string>{"folder"});
}

TEST(AtomicFile, HintsAtPermissions) {
  const TempDir dir;
  std::filesystem::permissions(dir.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  {
    const Unprivileged user;
    EXPECT_THAT(error_of([&] { write_file(dir / "a", "text"); }),
                AllOf(HasSubstr("Permission denied"), HasSubstr("check the permissions")));
    EXPECT_THAT(error_of([&] { make_directories(dir / "b/c"); }),
                AllOf(HasSubstr("cannot make the folder"), HasSubstr("check the permissions")));
  }
  std::filesystem::permissions(dir.path(), std::filesystem::perms::owner_all);
}

TEST(AtomicFile, StaleTemporariesCanBeRemoved) {
  const TempDir dir;
  dir.write("kept", "");
  dir.write(std::string(kTemporaryPrefix) + "123-state", "half");
  remove_stale_temporaries(dir.path());
  EXPECT_EQ(names_in(dir.path()), std::vector<std::string>{"kept"});
  remove_stale_temporaries(dir / "missing");
}

TEST(AtomicFile, TakesAwayWhatAKilledProcessLeftOfTheSameFile) {
  const TempDir dir;
  dir.write(std::string(kTemporaryPrefix) + "123-0-a", "half");
  dir.write(std::string(kTemporaryPrefix) + "123-0-b", "half of another");
  write_file(dir / "a", "whole");
  EXPECT_THAT(names_in(dir.path()), ::testing::UnorderedElementsAre("a", std::string(kTemporaryPrefix) + "123-0-b"));
}

TEST(AtomicFile, OneThatIsBeingWrittenIsNotStale) {
  const TempDir dir;
  AtomicFile first(dir / "a");
  first.write("first");
  write_file(dir / "a", "second");
  remove_stale_temporaries(dir.path());
  EXPECT_EQ(names_in(dir.path()).size(), 2U);
  first.commit();
  EXPECT_EQ(read_file(dir / "a"), "first");
}

TEST(FileThreads, WritersOfOneFileTakeNothingFromEachOther) {
  const TempDir dir;
  std::vector<std::thread> writers;
  for (const char letter : {'a', 'b', 'c', 'd'}) {
    writers.emplace_back([&dir, letter] {
      for (int round = 0; round < 200; ++round) {
        AtomicFile file(dir / "a");
        file.write(std::string(1000, letter));
        EXPECT_NO_THROW(file.commit(/*sync=*/false));
      }
    });
  }
  for (auto& writer : writers) {
    writer.join();
  }
  const std::string text = read_file(dir / "a");
  EXPECT_EQ(text, std::string(1000, text.front()));
  EXPECT_EQ(names_in(dir.path()), std::vector<std::string>{"a"});
}

TEST(FileThreads, AReaderNeverSeesHalfAFile) {
  const TempDir dir;
  const auto content = [](int round) { return std::string(50000, static_cast<char>('a' + round % 26)); };
  write_file(dir / "a", content(0));
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) {
      const std::string text = read_file(dir / "a");
      if (text.size() != 50000U || text != std::string(50000, text.front())) {
        ADD_FAILURE() << "a mixture of " << text.size() << " bytes";
        return;
      }
    }
  });
  for (int round = 1; round < 100; ++round) {
    write_file(dir / "a", content(round));
  }
  done = true;
  reader.join();
}

TEST(AppendFile, AddsAtTheEnd) {
  const TempDir dir;
  {
    AppendFile file(dir / "log");
    file.append("one\n");
    EXPECT_EQ(file.size(), 4);
  }
  AppendFile file(dir / "log");
  file.append("two\n");
  file.sync();
  EXPECT_EQ(file.size(), 8);
  EXPECT_EQ(read_file(dir / "log"), "one\ntwo\n");
}

TEST(AppendFile, CutsButNeverGrows) {
  const TempDir dir;
  dir.write("log", "one\ntwo\nthr");
  {
    AppendFile file(dir / "log", 8);
    EXPECT_EQ(file.size(), 8);
    file.append("four\n");
  }
  EXPECT_EQ(read_file(dir / "log"), "one\ntwo\nfour\n");
  EXPECT_EQ(AppendFile(dir / "log", 1000).size(), 13);
  EXPECT_EQ(AppendFile(dir / "log", 0).size(), 0);
}

TEST(AppendFile, SaysThatTheDiskIsFull) {
  AppendFile file("/dev/full");
  EXPECT_THAT(error_of([&] { file.append("a line\n"); }),
              AllOf(HasSubstr("/dev/full"), HasSubstr("No space left"), HasSubstr("free some space")));
}

TEST(AppendFile, NamesWhatItCannotOpen) {
  const TempDir dir;
  EXPECT_THAT(error_of([&] { AppendFile(dir.path()); }), AllOf(HasSubstr(dir.path().string()), HasSubstr("open")));
}

TEST(MakeDirectories, MakesParentsAndTakesExistingOnes) {
  const TempDir dir;
  make_directories(dir / "a/b/c");
  make_directories(dir / "a/b/c");
  EXPECT_TRUE(std::filesystem::is_directory(dir / "a/b/c"));
  dir.write("file", "");
  EXPECT_THAT(error_of([&] { make_directories(dir / "file/x"); }), HasSubstr("file/x: cannot make the folder"));
  EXPECT_THAT(error_of([&] { make_directories(dir / "file"); }), HasSubstr("cannot make the folder"));
}

TEST(SyncDirectory, NamesAMissingOne) {
  const TempDir dir;
  sync_directory(dir.path());
  EXPECT_THAT(error_of([&] { sync_directory(dir / "missing"); }), HasSubstr("missing"));
}

}  // namespace
}  // namespace effnetv2
