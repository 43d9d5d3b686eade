#include "effnetv2/weights/weights_file.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/model/efficientnet.h"
#include "effnetv2/weights/recognise.h"
#include "effnetv2/weights/state_dict.h"

#include "support/temp_dir.h"
#include "support/tensors.h"

namespace effnetv2 {
namespace {

using test::every_kind;
using test::same_bits;
using test::TempDir;
using testing::HasSubstr;

const std::string kGolden = std::string(EFFNETV2_SOURCE_DIR) + "/tests/golden/";

std::string weights_refusal(const std::filesystem::path& path) {
  try {
    read_weights_file(path);
  } catch (const CheckpointError& e) {
    EXPECT_THAT(e.what(), HasSubstr(path.string()));
    return e.what();
  }
  return "not refused";
}

TEST(WeightsFile, EachKindConvertsIntoTheOthersToTheBit) {
  const TempDir folder;
  const NamedTensors tensors = every_kind();
  write_weights_file(folder / "a.pth", tensors, {{"classes", "[]"}});
  const WeightsFile a = read_weights_file(folder / "a.pth");
  write_weights_file(folder / "b.SafeTensors", a.tensors, a.metadata);
  const WeightsFile b = read_weights_file(folder / "b.SafeTensors");
  write_weights_file(folder / "c.pt", b.tensors, b.metadata);
  const WeightsFile c = read_weights_file(folder / "c.pt");
  EXPECT_EQ(c.metadata, (Metadata{{"classes", "[]"}}));
  EXPECT_EQ(read_file(folder / "a.pth"), read_file(folder / "c.pt"));
  ASSERT_EQ(c.tensors.size(), tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    EXPECT_EQ(c.tensors[i].first, tensors[i].first);
    EXPECT_TRUE(same_bits(c.tensors[i].second, tensors[i].second)) << tensors[i].first;
  }
}

TEST(WeightsFile, TellsTheKindByContent) {
  const TempDir folder;
  write_weights_file(folder / "a.pth", every_kind());
  std::filesystem::rename(folder / "a.pth", folder / "weights");
  EXPECT_EQ(read_weights_file(folder / "weights").tensors.size(), every_kind().size());
}

TEST(WeightsFile, ADamagedByteOfOursIsFoundInEitherKind) {
  const TempDir folder;
  for (const char* name : {"a.safetensors", "a.pth"}) {
    write_weights_file(folder / name, {{"w", at::ones({1000})}});
    std::string bytes = read_file(folder / name);
    const auto data = bytes.find(std::string("\x00\x00\x80\x3f", 4) + std::string("\x00\x00\x80\x3f", 4));
    bytes[data + 2] ^= 1;
    folder.write(name, bytes);
    EXPECT_THAT(weights_refusal(folder / name), HasSubstr("checksum")) << name;
  }
}

TEST(WeightsFile, TheChecksumDoesNotMindTheOrder) {
  const TempDir folder;
  NamedTensors tensors = every_kind();
  write_weights_file(folder / "a.safetensors", tensors, {{"classes", "[]"}});
  const Metadata metadata = SafetensorsFile(folder / "a.safetensors").metadata();
  std::reverse(tensors.begin(), tensors.end());
  write_safetensors(folder / "b.safetensors", tensors, metadata);  // as Python's package does
  EXPECT_EQ(read_weights_file(folder / "b.safetensors").tensors.size(), tensors.size());
}

TEST(WeightsFile, AHeaderWhoseLengthLooksLikeAZipIsNone) {
  const TempDir folder;
  std::string header = R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  header.resize(0x4B50, ' ');  // "PK", little-endian
  const std::uint64_t length = header.size();
  const auto path = folder.write("x", std::string(reinterpret_cast<const char*>(&length), 8) + header + "1234");
  EXPECT_EQ(read_weights_file(path).tensors.size(), 1u);
}

TEST(WeightsFile, OldAndOtherFilesAreSaid) {
  const TempDir folder;
  EXPECT_THAT(weights_refusal(kGolden + "torch_1.13_legacy.pth"), HasSubstr("before 1.6"));
  EXPECT_THAT(weights_refusal(kGolden + "torch_2.15_legacy.pth"), HasSubstr("torch.save(torch.load(file), file)"));
  EXPECT_THAT(weights_refusal(folder.write("x.pth", "hello")), HasSubstr("zip archive"));
  EXPECT_THAT(weights_refusal(folder.write("x.safetensors", "hello")), HasSubstr("safetensors"));
  EXPECT_THAT(weights_refusal(folder.write("empty", "")), HasSubstr("neither a safetensors nor a PyTorch file"));
  EXPECT_THAT(weights_refusal(folder.write("x.txt", "some text of no kind")), HasSubstr("neither a safetensors nor"));
  write_safetensors(folder / "state", {{"model.w", at::ones({1})}}, {{"format", "effnetv2.state.2"}});
  EXPECT_THAT(weights_refusal(folder / "state"), HasSubstr("training state"));
  EXPECT_THROW(write_weights_file(folder / "x.onnx", every_kind()), CheckpointError);
}

TEST(Recognise, NamesThePublishedArchitectures) {
  for (const Arch arch :
       {Arch::efficientnet_v2_s, Arch::efficientnet_v2_m, Arch::efficientnet_v2_l, Arch::efficientnet_b0}) {
    ModelConfig model;
    model.arch = arch;
    EXPECT_EQ(recognise(state_dict(EfficientNetImpl(architecture(model, 7)))), arch);
  }
  ModelConfig changed;
  changed.depth_mult = 0.5;
  EXPECT_EQ(recognise(state_dict(EfficientNetImpl(architecture(changed, 7)))), std::nullopt);
  changed.depth_mult = 1.0;
  changed.width_mult = 0.5;
  EXPECT_EQ(recognise(state_dict(EfficientNetImpl(architecture(changed, 7)))), std::nullopt);
  EXPECT_EQ(recognise({}), std::nullopt);
}

}  // namespace
}  // namespace effnetv2
