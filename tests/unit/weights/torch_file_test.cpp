#include <functional>
#include <string>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/core/rng.h"
#include "effnetv2/weights/torch_reader.h"
#include "effnetv2/weights/torch_writer.h"

#include "support/temp_dir.h"
#include "support/tensors.h"
#include "support/torch_archive.h"

namespace effnetv2 {
namespace {

using test::every_kind;
using test::pickled;
using test::pickled_dict;
using test::pickled_tuple;
using test::same_bits;
using test::TempDir;
using test::TensorPickle;
using test::zip_of;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string kTorchGolden = std::string(EFFNETV2_SOURCE_DIR) + "/tests/golden/torch_";

/// What scripts/make_torch_golden.py saves.
NamedTensors sample() {
  const at::Tensor matrix = at::arange(6, at::kFloat).view({2, 3}) / 4;
  return {{"matrix", matrix},
          {"transposed", matrix.t()},
          {"slice", at::tensor({3, 5, 7}, at::kLong)},
          {"channels_last", at::arange(48, at::kFloat).view({2, 3, 2, 4})},
          {"double", at::tensor({0.1, -1e300}, at::kDouble)},
          {"half", at::tensor({0.5f, -0.0f}).to(at::kHalf)},
          {"brain", at::tensor({1.0f, -2.5f, HUGE_VALF}).to(at::kBFloat16)},
          {"int", at::tensor({-1, 2147483647}, at::kInt)},
          {"short", at::tensor({-32768}).to(at::kShort)},
          {"char", at::tensor({-128, 0, 127}).to(at::kChar)},
          {"byte", at::tensor({0, 255}).to(at::kByte)},
          {"bool", at::tensor({1, 0}).to(at::kBool)},
          {"features.0.1.num_batches_tracked", at::scalar_tensor((std::int64_t{1} << 40) + 7, at::kLong)},
          {"empty", at::zeros({0, 4})},
          {"parameter", at::tensor({3.0f, -4.0f})}};
}

void expect_same(const NamedTensors& read, const NamedTensors& expected) {
  ASSERT_EQ(read.size(), expected.size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].first, expected[i].first);
    EXPECT_TRUE(same_bits(read[i].second, expected[i].second)) << read[i].first;
  }
}

std::string torch_refusal(const std::string& bytes) {
  try {
    for (const auto& [name, tensor] : read_torch_file(FileBytes("given.pth", bytes)).tensors) {
      tensor.clone();
    }
  } catch (const CheckpointError& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("given.pth"), Not(HasSubstr("\n"))));
    return e.what();
  }
  return "not refused";
}

/// An archive with this pickle and one storage of six floats.
std::string archive(const std::string& pickle, const std::string& storage = std::string(24, '\0')) {
  return zip_of({{"x/data.pkl", pickle}, {"x/data/0", storage}});
}

class TorchFileGolden : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Versions, TorchFileGolden, testing::Values("1.13", "2.15"));

TEST_P(TorchFileGolden, IsRead) {
  const TorchFile file = read_torch_file(FileBytes(std::filesystem::path(kTorchGolden + GetParam() + ".pth")));
  EXPECT_EQ(file.taken_from, "");
  EXPECT_TRUE(file.metadata.empty());
  expect_same(file.tensors, sample());
}

TEST_P(TorchFileGolden, ACheckpointsAveragedWeightsAreTaken) {
  const TorchFile file =
      read_torch_file(FileBytes(std::filesystem::path(kTorchGolden + GetParam() + "_checkpoint.pth")));
  EXPECT_EQ(file.taken_from, "model_ema");
  NamedTensors doubled;
  for (const auto& [name, tensor] : sample()) {
    if (tensor.is_floating_point()) {
      doubled.emplace_back(name, tensor * 2);
    }
  }
  expect_same(file.tensors, doubled);
}

TEST_P(TorchFileGolden, WholeModulesAndScriptsAreRefused) {
  EXPECT_THAT(torch_refusal(read_file(kTorchGolden + GetParam() + "_module.pth")),
              AllOf(HasSubstr("\"torch.nn.modules.linear.Linear\""), HasSubstr("state_dict()")));
  EXPECT_THAT(torch_refusal(read_file(kTorchGolden + GetParam() + "_script.pt")), HasSubstr("TorchScript"));
}

TEST_P(TorchFileGolden, EveryCutIsFound) {
  const std::string good = read_file(kTorchGolden + GetParam() + ".pth");
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_NE(torch_refusal(good.substr(0, length)), "not refused") << length;
  }
}

TEST_P(TorchFileGolden, EveryFlippedBitIsFoundOrChangesNothing) {
  const std::string good = read_file(kTorchGolden + GetParam() + ".pth");
  const NamedTensors expected = sample();
  std::size_t found = 0;
  for (std::size_t i = 0; i < good.size() * 8; ++i) {
    std::string bad = good;
    bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
    try {
      expect_same(read_torch_file(FileBytes("bad", bad)).tensors, expected);
    } catch (const CheckpointError&) {
      ++found;
    }
  }
  EXPECT_GT(found, good.size() * 2) << "most of a small file is padding and unread fields, but not all";
}

TEST_P(TorchFileGolden, RandomDamageNeverCrashes) {
  const std::string good = read_file(kTorchGolden + GetParam() + "_checkpoint.pth");
  Rng rng(11);
  for (int round = 0; round < 2000; ++round) {
    std::string bad = good;
    for (std::uint64_t edits = 1 + rng.below(6); edits > 0; --edits) {
      const std::size_t at = rng.below(bad.size());
      if (rng.below(3) == 0) {
        bad.erase(at, rng.below(40));
      } else {
        bad[at] = static_cast<char>(rng.below(256));
      }
    }
    torch_refusal(bad);
  }
}

TEST(TorchFile, RoundTripsEveryKindToTheBit) {
  const TempDir folder;
  const NamedTensors tensors = every_kind();
  const Metadata metadata{{"classes", "[\"a\"]"}, {"format", "pt"}};
  write_torch_file(folder / "x.pth", tensors, metadata);
  const TorchFile file = read_torch_file(FileBytes(folder / "x.pth"));
  expect_same(file.tensors, tensors);
  EXPECT_EQ(file.metadata, metadata);
}

TEST(TorchFile, EqualContentsGiveEqualBytes) {
  const TempDir folder;
  write_torch_file(folder / "a.pth", every_kind(), {{"k", "v"}});
  write_torch_file(folder / "b.pth", every_kind(), {{"k", "v"}});
  EXPECT_EQ(read_file(folder / "a.pth"), read_file(folder / "b.pth"));
}

TEST(TorchFile, TensorsOutliveTheFile) {
  const TempDir folder;
  write_torch_file(folder / "x.pth", {{"w", at::arange(1000, at::kFloat)}});
  NamedTensors tensors = read_torch_file(FileBytes(folder / "x.pth")).tensors;
  std::filesystem::remove(folder / "x.pth");
  EXPECT_EQ(tensors[0].second.sum().item<float>(), 499500.0f);
}

/// The archive with `bytes` less of padding before its last entry's data.
std::string with_less_padding(std::string archive, std::uint16_t bytes) {
  const std::size_t header = archive.find("x/data/0") - 30;
  std::uint16_t extra = 0;
  std::memcpy(&extra, archive.data() + header + 28, sizeof extra);
  extra = static_cast<std::uint16_t>(extra - bytes);
  std::memcpy(archive.data() + header + 28, &extra, sizeof extra);
  archive.erase(archive.find('Z', header), bytes);
  const std::size_t end = archive.size() - 22;
  std::uint32_t directory = 0;
  std::memcpy(&directory, archive.data() + end + 16, sizeof directory);
  directory -= bytes;
  std::memcpy(archive.data() + end + 16, &directory, sizeof directory);
  return archive;
}

TEST(TorchFile, ReadsUnalignedStorages) {
  std::string storage(24, '\0');
  const float one = 1.0f;
  std::memcpy(storage.data(), &one, sizeof one);
  const std::string aligned = archive(pickled_dict(TensorPickle().text()), storage);
  for (std::uint16_t bytes = 0; bytes < 8; ++bytes) {
    const TorchFile file = read_torch_file(FileBytes("x", with_less_padding(aligned, bytes)));
    EXPECT_EQ(file.tensors.at(0).second[0][0].item<float>(), 1.0f);
    EXPECT_EQ(file.tensors.at(0).second.sum().item<float>(), 1.0f);
  }
}

TEST(TorchFile, DropsTheNamesOfWrappers) {
  const auto tensor = TensorPickle().text();
  for (const char* name : {"w", "module.w", "_orig_mod.w", "module._orig_mod.w", "_orig_mod.module.w"}) {
    const TorchFile file = read_torch_file(FileBytes("x", archive(pickled_dict(tensor, name))));
    EXPECT_EQ(file.tensors.at(0).first, "w") << name;
  }
}

TEST(TorchFile, FindsNestedStateDicts) {
  const std::string inner = "}" + pickled("w") + TensorPickle().text() + "s";
  for (const char* key : {"state_dict", "model", "model_ema", "model_state_dict"}) {
    const TorchFile file = read_torch_file(FileBytes("x", archive(pickled_dict(inner, key))));
    EXPECT_EQ(file.taken_from, key);
    EXPECT_EQ(file.tensors.size(), 1u);
  }
  EXPECT_THAT(torch_refusal(archive(pickled_dict(inner, "weights"))), HasSubstr("its keys are \"weights\""));
}

TEST(TorchFile, FindsAStateDictBesideATensor) {
  // PyTorch's own ImageNet example saves its best accuracy as a tensor
  const std::string inner = "}" + pickled("w") + TensorPickle().text() + "s";
  const std::string pickle = "\x80\x02}" + pickled("best_acc1") + TensorPickle().text() + "s" + pickled("state_dict") +
                             inner + "s" + pickled("epoch") + pickled(3) + "s.";
  const TorchFile file = read_torch_file(FileBytes("x", archive(pickle)));
  EXPECT_EQ(file.taken_from, "state_dict");
  EXPECT_EQ(file.tensors.size(), 1u);
}

TEST(TorchFileDefect, AnEntryThatIsNoTensorIsNamed) {
  const std::string pickle =
      "\x80\x02}" + pickled("w") + TensorPickle().text() + "s" + pickled("epoch") + pickled(3) + "s.";
  EXPECT_THAT(torch_refusal(archive(pickle)), HasSubstr("\"epoch\" is no tensor"));
}

TEST(TorchFileDefect, AGlobalThatWouldRunCodeIsNamed) {
  const std::string evil =
      "\x80\x02"
      "cos\nsystem\n" +
      pickled("touch ran") + "\x85R.";
  EXPECT_THAT(torch_refusal(archive(evil)), HasSubstr("\"os.system\""));
  EXPECT_THAT(torch_refusal(archive("\x80\x04" + pickled("builtins") + pickled("eval") + "\x93.")),
              HasSubstr("\"builtins.eval\""));
  EXPECT_FALSE(std::filesystem::exists("ran"));
}

TEST(TorchFileDefect, TensorsThatDoNotFitTheirStorageAreRefused) {
  const auto with = [](const std::function<void(TensorPickle&)>& change) {
    TensorPickle tensor;
    change(tensor);
    return torch_refusal(archive(pickled_dict(tensor.text())));
  };
  EXPECT_EQ(with([](auto&) {}), "not refused");
  EXPECT_THAT(with([](auto& t) { t.offset = 1; }), HasSubstr("beyond the 6 elements"));
  EXPECT_THAT(with([](auto& t) { t.offset = -1; }), HasSubstr("beyond the 6 elements"));
  EXPECT_THAT(with([](auto& t) { t.elements = 7; }), HasSubstr("24 bytes, but should hold 7"));
  EXPECT_THAT(with([](auto& t) { t.elements = -6; }), HasSubstr("24 bytes, but should hold -6"));
  EXPECT_THAT(with([](auto& t) { t.key = "1"; }), HasSubstr("no entry \"data/1\""));
  EXPECT_THAT(with([](auto& t) { t.key = "../0"; }), HasSubstr("no entry"));
  EXPECT_THAT(with([](auto& t) { t.sizes = pickled_tuple({-2, -3}); }), HasSubstr("negative size"));
  EXPECT_THAT(with([](auto& t) { t.strides = pickled_tuple({-3, 1}); }), HasSubstr("negative size or stride"));
  EXPECT_THAT(with([](auto& t) { t.strides = pickled_tuple({4, 1}); }), HasSubstr("beyond"));
  EXPECT_THAT(with([](auto& t) { t.strides = pickled_tuple({1}); }), HasSubstr("2 sizes and 1 strides"));
  EXPECT_THAT(with([](auto& t) { t.type = "torch\nSize\n"; }), HasSubstr("is of \"torch Size\""));
  EXPECT_THAT(with([](auto& t) {
                t.sizes = pickled_tuple({1 << 30, 1 << 30, 1 << 30});
                t.strides = pickled_tuple({0, 0, 0});
              }),
              HasSubstr("beyond all memory"));
  EXPECT_THAT(with([](auto& t) {
                t.sizes = pickled_tuple({1 << 28, 1 << 28});
                t.strides = pickled_tuple({0, 0});
              }),
              HasSubstr("larger than its storage"));
  EXPECT_THAT(with([](auto& t) {
                t.sizes = pickled_tuple({0, 1 << 30, 1 << 30, 1 << 30});
                t.strides = pickled_tuple({1, 1, 1, 1});
              }),
              HasSubstr("beyond all memory"));
  EXPECT_THAT(with([](auto& t) { t.type = "torch\nBoolStorage\n"; }), HasSubstr("24 bytes, but should hold 6"));
}

TEST(TorchFileDefect, ManyNamesOfOneStorageAreBounded) {
  std::string pickle = "\x80\x02}(";
  pickle += pickled("w0") + TensorPickle().text() + "q\x01";
  for (int i = 1; i < 4000; ++i) {
    pickle += pickled("w" + std::to_string(i)) + "h\x01";
  }
  const std::string storage(std::size_t{24}, '\0');
  // 4000 names of 24 bytes are far from 16 times the file; of a storage as large as the file they are not
  EXPECT_EQ(torch_refusal(archive(pickle + "u.", storage)), "not refused");
  TensorPickle large;
  large.elements = 100'000;
  large.sizes = pickled_tuple({100'000});
  large.strides = pickled_tuple({1});
  std::string many = "\x80\x02}(" + pickled("w0") + large.text() + "q\x01";
  for (int i = 1; i < 40; ++i) {
    many += pickled("w" + std::to_string(i)) + "h\x01";
  }
  EXPECT_THAT(torch_refusal(archive(many + "u.", std::string(400'000, '\0'))), HasSubstr("16 times the file's size"));
}

TEST(TorchFileDefect, BrokenPicklesAreRefused) {
  const auto of = [](const std::string& pickle) { return torch_refusal(archive(pickle)); };
  EXPECT_THAT(of(""), HasSubstr("ends in the middle"));
  EXPECT_THAT(of("\x80\x02"), HasSubstr("ends in the middle"));
  EXPECT_THAT(of("\x80\x02."), HasSubstr("empty stack"));
  EXPECT_THAT(of("\x80\x01}."), HasSubstr("protocol 1"));
  EXPECT_THAT(of("\x80\x02h\x07."), HasSubstr("never made"));
  EXPECT_THAT(of("\x80\x02u."), HasSubstr("mark is missing"));
  EXPECT_THAT(of("\x80\x02](}u."), HasSubstr("key has no value"));
  EXPECT_THAT(of("\x80\x02]}}s."), HasSubstr("no dict"));
  EXPECT_THAT(of("\x80\x02N)R."), HasSubstr("no global"));
  EXPECT_THAT(of(std::string("\x80\x02X\xff\xff\xff\xff", 7) + "a."), HasSubstr("ends in the middle"));
  EXPECT_THAT(of("\x80\x02i."), HasSubstr("opcode 105"));
  EXPECT_THAT(of("\x80\x02]."), HasSubstr("no state_dict"));
  EXPECT_THAT(of("\x80\x02}."), HasSubstr("no state_dict; its keys are none"));
  EXPECT_THAT(of("\x80\x02" + std::string("\x8a\x09") + std::string(9, 'x') + "."), HasSubstr("64 bits"));
}

TEST(TorchFileDefect, DepthAndLengthAreBounded) {
  EXPECT_THAT(torch_refusal(archive("\x80\x02" + std::string(5'000'000, ']') + ".")), HasSubstr("2,000,000 values"));
  EXPECT_THAT(torch_refusal(archive("\x80\x02" + std::string(5'000'000, '(') + ".")), HasSubstr("2,000,000 values"));
  std::string chain = "\x80\x02)";
  for (int i = 0; i < 1'500'000; ++i) {
    chain += '\x85';  // a tuple in a tuple in a tuple
  }
  EXPECT_THAT(torch_refusal(archive(chain + ".")), HasSubstr("no state_dict"));
  std::string repeats = "\x80\x02]q\x01";
  for (int i = 0; i < 3'000'000; ++i) {
    repeats += "h\x01";
  }
  EXPECT_THAT(torch_refusal(archive(repeats + ".")), HasSubstr("2,000,000 values"));
  // one long list made into a dict again and again
  std::string copies = "\x80\x02(";
  for (int i = 0; i < 1000; ++i) {
    copies += "NN\x86";
  }
  copies +=
      "lq\x01"
      "0ccollections\nOrderedDict\nq\x02"
      "0";
  for (int i = 0; i < 100'000; ++i) {
    copies += "h\x02h\x01\x85R";
  }
  EXPECT_THAT(torch_refusal(archive(copies + ".")), HasSubstr("2,000,000 values"));
  // a dict that holds itself under every name that is looked for
  std::string self = "\x80\x02}q\x01";
  for (const char* key : {"model_ema", "ema_state_dict", "state_dict_ema", "state_dict", "model_state_dict", "model",
                          "module", "network", "net"}) {
    self += pickled(key) + "h\x01s";
  }
  EXPECT_THAT(torch_refusal(archive(self + ".")), HasSubstr("no state_dict"));
  // a dict that holds itself
  EXPECT_THAT(torch_refusal(archive("\x80\x02}q\x01" + pickled("model") + "h\x01s.")), HasSubstr("no state_dict"));
}

TEST(TorchFileDefect, OddArchivesAreRefused) {
  EXPECT_THAT(torch_refusal(zip_of({{"x/other", "1"}})), HasSubstr("no data.pkl"));
  EXPECT_THAT(torch_refusal(zip_of({{"x/data.pkl", "1"}, {"x/constants.pkl", "1"}})), HasSubstr("TorchScript"));
  EXPECT_THAT(torch_refusal(zip_of({{"x/data.pkl", pickled_dict(TensorPickle().text())}, {"x/byteorder", "big"}})),
              HasSubstr("byte order \"big\""));
  std::string damaged = archive(pickled_dict(TensorPickle().text()), std::string(24, 'z'));
  damaged[damaged.find("zzzz")] = 'y';
  EXPECT_THAT(torch_refusal(damaged), AllOf(HasSubstr("checksum"), HasSubstr("data/0")));
}

TEST(TorchFileDefect, WhatCannotBeSavedIsSaid) {
  const TempDir folder;
  EXPECT_THROW(write_torch_file(folder / "x.pth", {{"c", at::zeros({1}, at::kComplexFloat)}}), CheckpointError);
  EXPECT_THROW(write_torch_file(folder / "x.pth", {{"a", at::zeros({1})}, {"a", at::zeros({1})}}), CheckpointError);
  EXPECT_FALSE(std::filesystem::exists(folder / "x.pth"));
}

}  // namespace
}  // namespace effnetv2
