#pragma once

#include <filesystem>
#include <string>

#include "effnetv2/weights/safetensors.h"

namespace effnetv2 {

/// Named tensors out of a file.
struct WeightsFile {
  NamedTensors tensors;    ///< on the CPU; may alias a mapped file: copy them, never write to them
  Metadata metadata;       ///< such as "classes" in files of ours
  std::string taken_from;  ///< the key of a checkpoint that they were found under; "" if they are all of the file
};

/// "best.pth", or "checkpoint.pth, of which \"model_ema\"", for messages.
std::string describe_source(const std::filesystem::path& path, const WeightsFile& file);

/// Reads safetensors and PyTorch's zip files, told apart by their first bytes. A file that write_weights_file wrote is
/// checked against its checksum. Throws CheckpointError, naming the file and what is wrong; a training state is
/// refused.
WeightsFile read_weights_file(const std::filesystem::path& path);

/// Writes .safetensors, .pth or .pt, by the extension (any case), whole or not at all, with a checksum of everything.
/// Equal tensors and metadata give equal files. Throws CheckpointError for another extension.
void write_weights_file(const std::filesystem::path& path, const NamedTensors& tensors, const Metadata& metadata = {});

/// True for the extensions that write_weights_file knows.
bool has_weights_extension(const std::filesystem::path& path);

}  // namespace effnetv2
