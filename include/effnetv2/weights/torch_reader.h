#pragma once

#include <string>

#include "effnetv2/weights/file_bytes.h"
#include "effnetv2/weights/safetensors.h"

namespace effnetv2 {

/// The state_dict in a file of torch.save.
struct TorchFile {
  NamedTensors tensors;    ///< aliases of the mapped file where they can be: never write to them
  Metadata metadata;       ///< what write_torch_file stored beside them; empty in files of others
  std::string taken_from;  ///< the key it was found under, such as "model_ema"; "" at the top
};

/// Reads PyTorch's zip files (.pth, .pt; PyTorch 1.6 and newer) without running anything in them: the few pickle
/// opcodes and globals that rebuild tensors are known, any other is refused by name. Finds a state_dict at the top or
/// under model_ema, state_dict, model and the like, and drops the prefixes of wrappers (module., _orig_mod.). Each
/// tensor's bytes are checked against their checksum.
/// Throws CheckpointError, naming the file and what is wrong, in memory bounded by the file's size.
TorchFile read_torch_file(const FileBytes& file);

}  // namespace effnetv2
