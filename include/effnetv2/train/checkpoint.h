#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "effnetv2/weights/file_bytes.h"
#include "effnetv2/weights/safetensors.h"

namespace effnetv2 {

/// Everything needed to continue a run bit for bit.
struct TrainState {
  NamedTensors tensors;   ///< under "model.", "ema.", "optimizer."
  nlohmann::json values;  ///< counters, schedule, early stopping, metric sums; and "run": what the run room adds
  std::string name = "the saved training state";  ///< for messages: the file it was read from
};

/// True if `folder` has a state, whole or not.
bool holds_state(const std::filesystem::path& folder);
/// Removes the state and the previous one.
void remove_state(const std::filesystem::path& folder);

/// Writes folder/state.safetensors. The state that was there becomes state.previous.safetensors, so that at every
/// moment one whole state exists. A checksum over all tensors goes into the metadata.
void write_state(const std::filesystem::path& folder, const TrainState& state);

/// One state from its bytes. Throws CheckpointError if they are damaged, no state or one of another format version.
/// What kind its values are of is for who reads them (state_values.h).
TrainState read_state(const FileBytes& file);

/// The newest whole state in `folder`, nullopt if there is none. A damaged state.safetensors is reported through `warn`
/// and the previous one put in its place; if that is damaged too, CheckpointError and nothing is changed. So too for a
/// state of another format version.
std::optional<TrainState> read_state(const std::filesystem::path& folder,
                                     const std::function<void(const std::string&)>& warn);

}  // namespace effnetv2
