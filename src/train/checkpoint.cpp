#include "effnetv2/train/checkpoint.h"

#include <string_view>

#include "effnetv2/config/strict_json.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/core/text.h"
#include "effnetv2/weights/checksum.h"

namespace effnetv2 {
namespace {

constexpr const char* kCurrent = "state.safetensors";
constexpr const char* kPrevious = "state.previous.safetensors";
constexpr const char* kFormat = "effnetv2.state.3";

/// A whole state that another version of this program wrote.
class OtherFormat : public CheckpointError {
 public:
  using CheckpointError::CheckpointError;
};

bool is_other_format(const std::string& format) {
  constexpr std::string_view kFamily = "effnetv2.state.";
  return format.size() > kFamily.size() && format.starts_with(kFamily) &&
         format.find_first_not_of("0123456789", kFamily.size()) == std::string::npos;
}

}  // namespace

bool holds_state(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / kCurrent) || std::filesystem::exists(folder / kPrevious);
}

void remove_state(const std::filesystem::path& folder) {
  // the newer one last: what is left when this is cut short is what to go on from
  std::filesystem::remove(folder / kPrevious);
  std::filesystem::remove(folder / kCurrent);
}

void write_state(const std::filesystem::path& folder, const TrainState& state) {
  const auto current = folder / kCurrent;
  const auto next = folder / (std::string(kTemporaryPrefix) + "next");
  const std::string values = state.values.dump();
  write_safetensors(next, state.tensors,
                    {{"format", kFormat}, {"checksum", checksum(state.tensors, values)}, {"state", values}});
  // the old state gets its second name before it loses the first, so one whole state has a name at every moment
  const auto second_name = folder / (std::string(kTemporaryPrefix) + "previous");
  std::error_code code;
  std::filesystem::remove(second_name, code);
  std::filesystem::create_hard_link(current, second_name, code);
  std::filesystem::rename(code ? current : second_name, folder / kPrevious, code);
  // where the previous name was left on the same file, renaming does nothing and both names stay
  std::filesystem::remove(second_name, code);
  std::filesystem::rename(next, current, code);
  if (code) {
    throw EnvironmentError(current.string() + ": cannot replace: " + code.message());
  }
  sync_directory(folder);
}

TrainState read_state(const FileBytes& bytes) {
  const SafetensorsFile file(bytes);
  const auto& name = bytes.name();
  const auto& metadata = file.metadata();
  const auto find = [&](const char* key) {
    const auto it = metadata.find(key);
    return it == metadata.end() ? std::string() : it->second;
  };
  if (find("format") != kFormat && is_other_format(find("format"))) {
    throw OtherFormat(name + ": was written by another version of effnetv2 (format \"" + find("format") +
                      "\", this one writes \"" + kFormat +
                      "\"); go on with that version, or start anew with train "
                      "--overwrite");
  }
  if (find("format") != kFormat) {
    throw CheckpointError(name + ": is no training state (format " + in_quotes(find("format")) + ", expected " +
                          in_quotes(kFormat) + ")");
  }
  TrainState state;
  state.name = name;
  for (const auto& tensor : file.names()) {
    state.tensors.emplace_back(tensor, file.tensor(tensor));
  }
  const std::string values = find("state");
  if (checksum(state.tensors, values) != find("checksum")) {
    throw CheckpointError(name + ": is damaged: its checksum does not fit its contents");
  }
  state.values = parse_any_json<nlohmann::json>(values);
  if (state.values.is_discarded()) {
    throw CheckpointError(name + ": is damaged: its \"state\" metadata is no JSON, or is nested deeper than " +
                          std::to_string(kMaxJsonDepth) + " levels");
  }
  return state;
}

std::optional<TrainState> read_state(const std::filesystem::path& folder,
                                     const std::function<void(const std::string&)>& warn) {
  std::optional<std::string> damage;
  for (const char* name : {kCurrent, kPrevious}) {
    if (!std::filesystem::exists(folder / name)) {
      continue;
    }
    try {
      TrainState state = read_state(FileBytes(folder / name));
      if (damage) {
        warn(*damage + "; going on from the previous state");
        // in the damaged one's place: it must not become the previous state when the next is written
        std::filesystem::rename(folder / kPrevious, folder / kCurrent);
        sync_directory(folder);
        state.name = (folder / kCurrent).string();
      }
      return state;
    } catch (const OtherFormat&) {
      throw;  // not damaged: nothing may take its place
    } catch (const CheckpointError& e) {
      damage = damage ? *damage + "\n" + e.what() : e.what();
    }
  }
  if (damage) {
    throw CheckpointError(*damage + "\nno whole state is left; start again with train --overwrite");
  }
  return std::nullopt;
}

}  // namespace effnetv2
