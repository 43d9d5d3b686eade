#include "effnetv2/run/event_file.h"

#include <gtest/gtest.h>

#include "effnetv2/core/rng.h"

#include "support/events.h"
#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

using namespace std::string_literals;

/// As tensorboard's RecordWriter (2.21) writes them.
TEST(FrameRecord, WritesTheBytesThatTensorboardWrites) {
  EXPECT_EQ(frame_record("abc"), "\003\000\000\000\000\000\000\000\260\231\111\016\141\142\143\156\127\361\041"s);
  EXPECT_EQ(frame_record(""), "\000\000\000\000\000\000\000\000\051\003\230\007\330\352\202\242"s);
}

TEST(FrameRecord, AnyChangedByteIsNoticed) {
  const std::string record = frame_record("some payload");
  ASSERT_EQ(test::read_records(record), std::vector<std::string>{"some payload"});
  for (std::size_t i = 0; i < record.size(); ++i) {
    std::string damaged = record;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    EXPECT_THROW(test::read_records(damaged), std::runtime_error) << i;
    if (i > 0) {
      EXPECT_THROW(test::read_records(record.substr(0, i)), std::runtime_error) << i;
    }
  }
}

TEST(EventFile, GoesOnAfterAPositionAndCutsWhatIsBehind) {
  const test::TempDir dir;
  EventFile::Position one, two;
  {
    EventFile file(dir / "e", {});
    file.append(frame_record("one"));
    one = file.sync();
    file.append(frame_record("two"));
    two = file.sync();
    file.append(frame_record("three").substr(0, 9));  // as a kill in mid-write leaves it
  }
  EXPECT_TRUE(EventFile::holds(dir / "e", {}));
  EXPECT_TRUE(EventFile::holds(dir / "e", one));
  ASSERT_TRUE(EventFile::holds(dir / "e", two));
  EventFile file(dir / "e", two);
  EXPECT_EQ(file.sync(), two);
  file.append(frame_record("three"));
  EXPECT_EQ(test::read_records(read_file(dir / "e")), (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(file.sync().bytes, static_cast<std::int64_t>(std::filesystem::file_size(dir / "e")));
  EXPECT_TRUE(EventFile::holds(dir / "e", file.sync()));
}

TEST(EventFile, KnowsWhenWhatItWroteIsNotThereAnyMore) {
  const test::TempDir dir;
  EventFile::Position end;
  {
    EventFile file(dir / "e", {});
    file.append(frame_record(std::string(3'000'000, 'x')));  // several buffers
    file.append(frame_record("end"));
    end = file.sync();
  }
  const std::string whole = read_file(dir / "e");
  EXPECT_TRUE(EventFile::holds(dir / "e", end));
  Rng rng(1);
  for (int i = 0; i < 20; ++i) {
    std::string damaged = whole;
    damaged[rng.below(whole.size())] ^= static_cast<char>(1 << rng.below(8));
    write_file(dir / "e", damaged);
    EXPECT_FALSE(EventFile::holds(dir / "e", end));
  }
  write_file(dir / "e", whole.substr(0, whole.size() - 1));
  EXPECT_FALSE(EventFile::holds(dir / "e", end));
  EXPECT_FALSE(EventFile::holds(dir / "none", end));
  write_file(dir / "e", whole + "more");
  EXPECT_TRUE(EventFile::holds(dir / "e", end));
}

}  // namespace
}  // namespace effnetv2
