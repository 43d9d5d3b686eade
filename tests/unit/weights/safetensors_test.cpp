#include "effnetv2/weights/safetensors.h"

#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/core/rng.h"

#include "support/temp_dir.h"
#include "support/tensors.h"

namespace effnetv2 {
namespace {

using test::every_kind;
using test::same_bits;
using test::TempDir;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kSample = std::string(EFFNETV2_SOURCE_DIR) + "/tests/golden/safetensors_sample.safetensors";

std::string little_endian(std::uint64_t value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string file_of(const std::string& header, const std::string& data = "") {
  return little_endian(header.size()) + header + data;
}

/// The message with which such a file is refused; it must name the file.
std::string safetensors_refusal(const std::string& bytes) {
  const TempDir folder;
  const auto path = folder.write("x.safetensors", bytes);
  try {
    const SafetensorsFile file(path);
    for (const auto& name : file.names()) {
      file.tensor(name);
    }
  } catch (const CheckpointError& e) {
    EXPECT_THAT(e.what(), HasSubstr(path.string()));
    return e.what();
  }
  return "not refused";
}

TEST(Safetensors, RoundTripsEveryKindToTheBit) {
  const TempDir folder;
  const NamedTensors tensors = every_kind();
  const Metadata metadata{{"format", "pt"}, {"empty", ""}, {"text", "\"quotes\"\n\xE2\x82\xAC"}};
  write_safetensors(folder / "a.safetensors", tensors, metadata);
  const SafetensorsFile file(folder / "a.safetensors");
  EXPECT_EQ(file.metadata(), metadata);
  ASSERT_EQ(file.names().size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    ASSERT_TRUE(file.contains(name)) << name;
    const at::Tensor read = file.tensor(name);
    EXPECT_TRUE(same_bits(read, tensor.detach())) << name;
    EXPECT_TRUE(read.is_contiguous());
    EXPECT_FALSE(read.requires_grad());
  }
  EXPECT_FALSE(file.contains("absent"));
  EXPECT_THROW(file.tensor("absent"), CheckpointError);
}

TEST(Safetensors, KeepsTheOrderGiven) {
  const TempDir folder;
  write_safetensors(folder / "a",
                    {{"z", at::ones({3}, at::kByte)}, {"m", at::ones({2})}, {"a", at::ones({1}, at::kLong)}});
  EXPECT_THAT(SafetensorsFile(folder / "a").names(), ElementsAre("z", "m", "a"));
}

TEST(Safetensors, TensorsOutliveTheFile) {
  const TempDir folder;
  at::Tensor tensor;
  {
    write_safetensors(folder / "a", {{"x", at::arange(100)}});
    const SafetensorsFile file(folder / "a");
    tensor = file.tensor("x");
    tensor.add_(1);
    EXPECT_TRUE(at::equal(file.tensor("x"), at::arange(100))) << "a copy";
  }
  EXPECT_TRUE(at::equal(tensor, at::arange(1, 101)));
}

TEST(Safetensors, EqualContentsGiveEqualBytesWithAlignedData) {
  const TempDir folder;
  for (const char* name : {"a", "b"}) {
    write_safetensors(folder / name, every_kind(), {{"b", "2"}, {"a", "1"}});
  }
  const std::string bytes = read_file(folder / "a");
  EXPECT_EQ(bytes, read_file(folder / "b"));
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  EXPECT_EQ(length % 8, 0u);
  EXPECT_EQ(bytes.substr(8, 32), R"({"__metadata__":{"a":"1","b":"2")");
}

TEST(Safetensors, WritesWhatThePackageWrites) {
  const SafetensorsFile sample(kSample);
  NamedTensors tensors;
  for (const auto& name : sample.names()) {
    tensors.emplace_back(name, sample.tensor(name));
  }
  const TempDir folder;
  write_safetensors(folder / "again", tensors, sample.metadata());
  EXPECT_EQ(read_file(folder / "again"), read_file(kSample));
}

TEST(Safetensors, ReadsWhatThePackageWrote) {
  const SafetensorsFile file(kSample);
  EXPECT_EQ(file.names().size(), 12u);
  EXPECT_THAT(file.metadata(), ElementsAre(testing::Pair("format", "text with \"quotes\", \\ and \xC3\xBC")));
  const auto is = [&](const std::string& name, const at::Tensor& expected) {
    EXPECT_TRUE(same_bits(file.tensor(name), expected)) << name;
  };
  is("double", at::tensor({0.1, -1e300}, at::kDouble));
  is("matrix", at::tensor({0.0f, 1.0f, 2.0f, 3.0f, 4.0f, 5.5f}).view({2, 3}));
  is("half", at::tensor({0.5f, -0.0f}).to(at::kHalf).view({2, 1}));
  is("brain", at::tensor({1.0f, -2.5f, HUGE_VALF}).to(at::kBFloat16));
  is("features.0.1.num_batches_tracked", at::scalar_tensor((std::int64_t{1} << 40) + 7, at::kLong));
  is("int", at::tensor({-1, 2147483647}, at::kInt).view({1, 1, 2}));
  is("short", at::tensor({-32768}, at::kShort));
  is("char", at::tensor({-128, 0, 127}, at::kChar));
  is("byte", at::tensor({0, 255}, at::kByte));
  is("bool", at::tensor({1, 0}).to(at::kBool));
  is("empty", at::empty({0, 4}));
  is("na\xC3\xAFve \"name\"\n", at::ones({1}));
}

TEST(Safetensors, AnEmptyFileOfTensorsIsOne) {
  const TempDir folder;
  write_safetensors(folder / "a", {});
  EXPECT_TRUE(SafetensorsFile(folder / "a").names().empty());
  EXPECT_EQ(read_file(folder / "a"), file_of("{}      "));
}

TEST(Safetensors, ReplacesAFileOnlyWhenAllIsWritten) {
  const TempDir folder;
  write_safetensors(folder / "a", {{"x", at::ones({2})}});
  const std::string before = read_file(folder / "a");
  EXPECT_THROW(write_safetensors(folder / "a", {{"x", at::ones({2})}, {"x", at::ones({2})}}), CheckpointError);
  EXPECT_THROW(write_safetensors(folder / "a", {{"x", at::ones({2}, at::kComplexFloat)}}), CheckpointError);
  EXPECT_THROW(write_safetensors(folder / "a", {{"__metadata__", at::ones({2})}}), CheckpointError);
  EXPECT_THROW(write_safetensors(folder / "a", {{"\xFF", at::ones({2})}}), CheckpointError);
  EXPECT_THROW(write_safetensors(folder / "no" / "a", {{"x", at::ones({2})}}), EnvironmentError);
  EXPECT_EQ(read_file(folder / "a"), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(SafetensorsDefect, IsNamed) {
  const std::string data(8, '\0');
  const auto tensor = [&](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return file_of(R"({"x":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}", data);
  };
  const auto two = [&](const std::string& a, const std::string& b) {
    return file_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + a +
                       R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + b + "}}",
                   data);
  };
  EXPECT_EQ(safetensors_refusal(tensor("\"F32\"", "[2]", "[0,8]")), "not refused");
  EXPECT_EQ(safetensors_refusal(tensor("\"F32\"", "[1,2,1]", "[0,8]")), "not refused");
  EXPECT_EQ(safetensors_refusal(two("[0,4]", "[4,8]")), "not refused");
  EXPECT_EQ(safetensors_refusal(two("[4,8]", "[0,4]")), "not refused");

  EXPECT_THAT(safetensors_refusal(""), HasSubstr("only 0 bytes"));
  EXPECT_THAT(safetensors_refusal("1234567"), HasSubstr("only 7 bytes"));
  EXPECT_THAT(safetensors_refusal(little_endian(0)), HasSubstr("does not begin with {"));
  EXPECT_THAT(safetensors_refusal(little_endian(100) + "{}"), AllOf(HasSubstr("100 bytes"), HasSubstr("cut off")));
  EXPECT_THAT(safetensors_refusal(little_endian(100'000'001) + "{}"), HasSubstr("at most 100 MB"));
  EXPECT_THAT(safetensors_refusal(little_endian(UINT64_MAX) + "{}"), HasSubstr("at most 100 MB"));
  EXPECT_THAT(safetensors_refusal(little_endian(UINT64_MAX - 7) + "{}"), HasSubstr("at most 100 MB"));
  EXPECT_THAT(safetensors_refusal(file_of("[1]")), HasSubstr("does not begin with {"));
  EXPECT_THAT(safetensors_refusal(file_of(" {}")), HasSubstr("does not begin with {"));
  EXPECT_THAT(safetensors_refusal(file_of("{\"a\"")), HasSubstr("no valid JSON"));
  EXPECT_THAT(safetensors_refusal(file_of("{} {}")), HasSubstr("no valid JSON"));
  EXPECT_THAT(safetensors_refusal(file_of("{\"\xFF\":1}")), HasSubstr("no valid JSON"));
  EXPECT_THAT(safetensors_refusal(file_of(std::string("{}\0", 3))), HasSubstr("zero byte"));
  EXPECT_THAT(safetensors_refusal(file_of("{\"x\":" + std::string(200'000, '['))), HasSubstr("deep"));
  EXPECT_THAT(safetensors_refusal(file_of("{\"x\":[[[[[]]]]]}")), HasSubstr("deep"));
  EXPECT_THAT(safetensors_refusal(file_of("{\"x\":{\"a\":{\"a\":{\"a\":{}}}}}")), HasSubstr("deep"));

  EXPECT_THAT(safetensors_refusal(file_of(R"({"__metadata__":[]})")), HasSubstr("__metadata__ is no object"));
  EXPECT_THAT(safetensors_refusal(file_of(R"({"__metadata__":{"a":1}})")), HasSubstr("\"a\" is no text"));
  EXPECT_THAT(safetensors_refusal(file_of(R"({"__metadata__":{},"__metadata__":{}})")),
              HasSubstr("\"__metadata__\" twice"));
  EXPECT_THAT(safetensors_refusal(file_of(R"({"__metadata__":{"k":"","k":""}})")), HasSubstr("\"k\" twice"));
  const std::string item = R"("x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  EXPECT_THAT(safetensors_refusal(file_of("{" + item + "," + item + "}")), HasSubstr("\"x\" twice"));
  EXPECT_THAT(safetensors_refusal(file_of(R"({"x":{"dtype":"U8","dtype":"F32","shape":[0],"data_offsets":[0,0]}})")),
              HasSubstr("\"dtype\" twice"));

  EXPECT_THAT(safetensors_refusal(file_of("{\"x\":3}")), HasSubstr("\"x\" is not described by an object"));
  EXPECT_THAT(safetensors_refusal(file_of("{\"x\":{}}")), HasSubstr("\"x\" has no dtype"));
  EXPECT_THAT(safetensors_refusal(tensor("5", "[2]", "[0,8]")), HasSubstr("has no dtype"));
  EXPECT_THAT(safetensors_refusal(tensor("\"F8_E4M3\"", "[8]", "[0,8]")), HasSubstr("unknown dtype \"F8_E4M3\""));
  EXPECT_THAT(safetensors_refusal(tensor("\"F32\"", "2", "[0,8]")), HasSubstr("no list shape"));
  EXPECT_THAT(safetensors_refusal(tensor("\"F32\"", "[2]", "8")), HasSubstr("no list data_offsets"));
  EXPECT_THAT(safetensors_refusal(tensor("\"F32\"", "[-2]", "[0,8]")),
              AllOf(HasSubstr("whole numbers"), HasSubstr("-2")));
  EXPECT_THAT(safetensors_refusal(tensor("\"F32\"", "[2.0]", "[0,8]")), HasSubstr("whole numbers"));
  EXPECT_THAT(safetensors_refusal(tensor("\"F32\"", "[2e0]", "[0,8]")), HasSubstr("whole numbers"));
  EXPECT_THAT(safetensors_refusal(tensor("\"F32\"", "[null]", "[0,8]")), HasSubstr("whole numbers"));
  EXPECT_THAT(safetensors_refusal(tensor("\"F32\"", "[18446744073709551615]", "[0,8]")), HasSubstr("whole numbers"));
  EXPECT_THAT(safetensors_refusal(tensor("\"F32\"", "[99999999999999999999999]", "[0,8]")), HasSubstr("whole numbers"));
  EXPECT_THAT(safetensors_refusal(tensor("\"F32\"", "[1e999]", "[0,8]")), HasSubstr("number out of range"));
  EXPECT_THAT(safetensors_refusal(tensor("\"F32\"", "[2]", "[-8,0]")), HasSubstr("whole numbers"));
  EXPECT_THAT(safetensors_refusal(tensor("\"F32\"", "[2]", "[8,0]")), HasSubstr("[begin, end]"));
  EXPECT_THAT(safetensors_refusal(tensor("\"F32\"", "[2]", "[0]")), HasSubstr("[begin, end]"));
  EXPECT_THAT(safetensors_refusal(tensor("\"F32\"", "[2]", "[0,8,8]")), HasSubstr("[begin, end]"));
  EXPECT_THAT(safetensors_refusal(tensor("\"F32\"", "[3]", "[0,8]")),
              AllOf(HasSubstr("8 bytes"), HasSubstr("need 12")));
  EXPECT_THAT(safetensors_refusal(tensor("\"F32\"", "[]", "[0,8]")), HasSubstr("need 4"));
  // products that wrap around to the right size
  EXPECT_THAT(safetensors_refusal(tensor("\"U8\"", "[4294967296,4294967296,8]", "[0,8]")), HasSubstr("2^63"));
  EXPECT_THAT(safetensors_refusal(tensor("\"F32\"", "[4611686018427387906]", "[0,8]")), HasSubstr("2^63"));
  EXPECT_THAT(safetensors_refusal(tensor("\"F32\"", "[0,4294967296,4294967296]", "[0,0]")), HasSubstr("2^63"));
  std::string ones = "1";
  for (int i = 0; i < 64; ++i) {
    ones += ",1";
  }
  EXPECT_THAT(safetensors_refusal(tensor("\"F64\"", "[" + ones + "]", "[0,8]")), HasSubstr("65 dimensions"));

  EXPECT_THAT(safetensors_refusal(two("[0,4]", "[0,4]")), HasSubstr("overlap"));
  EXPECT_THAT(safetensors_refusal(two("[0,4]", "[3,7]")), HasSubstr("overlap"));
  EXPECT_THAT(safetensors_refusal(two("[0,4]", "[5,9]")), HasSubstr("gap"));
  EXPECT_THAT(safetensors_refusal(two("[1,5]", "[5,9]")), HasSubstr("gap"));
  EXPECT_THAT(safetensors_refusal(tensor("\"F32\"", "[1]", "[0,4]")),
              HasSubstr("8 bytes of data, its header describes 4"));
  EXPECT_THAT(safetensors_refusal(tensor("\"F32\"", "[4]", "[0,16]")), HasSubstr("cut off"));
  EXPECT_THAT(safetensors_refusal(file_of("{}", "x")), HasSubstr("1 bytes of data, its header describes 0"));
  EXPECT_THAT(
      safetensors_refusal(file_of(R"({"x":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}})", std::string("\1\2"))),
      AllOf(HasSubstr("\"x\""), HasSubstr("other than 0 and 1")));
}

TEST(SafetensorsDefect, WhatIsNoFileIsSaid) {
  const TempDir folder;
  EXPECT_THROW(SafetensorsFile(folder / "absent"), CheckpointError);
  EXPECT_THROW(SafetensorsFile{folder.path()}, CheckpointError);
  EXPECT_THROW(SafetensorsFile(folder.write("file", "x") / "below"), CheckpointError);
}

/// Opens and reads all of it: either works or is a CheckpointError.
bool reads(const std::filesystem::path& path) {
  try {
    const SafetensorsFile file(path);
    for (const auto& name : file.names()) {
      file.tensor(name);
    }
    return true;
  } catch (const CheckpointError&) {
    return false;
  }
}

TEST(SafetensorsDefect, EveryCutIsFound) {
  const TempDir folder;
  const std::string good = read_file(kSample);
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(reads(folder.write("cut", good.substr(0, length)))) << length << " bytes";
  }
  EXPECT_TRUE(reads(folder.write("whole", good)));
  EXPECT_FALSE(reads(folder.write("longer", good + "x")));
}

TEST(SafetensorsDefect, EveryChangedHeaderByteIsFoundOrHarmless) {
  const TempDir folder;
  const std::string good = read_file(kSample);
  std::uint64_t length = 0;
  std::memcpy(&length, good.data(), sizeof length);
  int found = 0;
  for (std::size_t i = 0; i < 8 + length; ++i) {
    for (const int change : {1, 2, 16, 32, 128, 255}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ change);
      found += reads(folder.write("bad", bad)) ? 0 : 1;
    }
  }
  EXPECT_GT(found, static_cast<int>(length));
}

TEST(SafetensorsDefect, RandomDamageNeverCrashes) {
  const TempDir folder;
  const std::string good = read_file(kSample);
  const std::string alphabet = "{}[]\",:0123456789-.eE\\u\"F32BOOL";
  Rng rng(7);
  for (int round = 0; round < 3000; ++round) {
    std::string bad = good;
    for (std::uint64_t edits = 1 + rng.below(4); edits > 0; --edits) {
      const std::size_t at = rng.below(bad.size());
      const std::size_t length = rng.below(12);
      switch (rng.below(4)) {
        case 0:
          bad.erase(at, length);
          break;
        case 1:
          bad.insert(at, bad.substr(rng.below(bad.size()), length));
          break;
        case 2:
          bad[at] = alphabet[rng.below(alphabet.size())];
          break;
        default:
          bad[at] = static_cast<char>(rng.below(256));
      }
      if (bad.empty()) {
        break;
      }
    }
    if (rng.below(2) == 0 && bad.size() >= 8) {  // with a length that fits, so that the JSON is reached
      bad.replace(0, 8, little_endian(bad.size() - 8 - std::min<std::size_t>(bad.size() - 8, 79)));
    }
    reads(folder.write("bad", bad));
  }
}

}  // namespace
}  // namespace effnetv2
