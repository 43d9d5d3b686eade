#include "effnetv2/weights/weights_file.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "effnetv2/core/error.h"
#include "effnetv2/weights/checksum.h"
#include "effnetv2/weights/torch_reader.h"
#include "effnetv2/weights/torch_writer.h"

namespace effnetv2 {
namespace {

constexpr const char* kChecksum = "effnetv2.checksum";

enum class Format { none, safetensors, torch };

Format format_for(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (extension == ".safetensors") {
    return Format::safetensors;
  }
  return extension == ".pth" || extension == ".pt" ? Format::torch : Format::none;
}

std::string checksum_of(const NamedTensors& tensors, const Metadata& metadata) {
  return checksum(tensors, nlohmann::json(metadata).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

WeightsFile read_safetensors(const FileBytes& bytes) {
  const SafetensorsFile file(bytes);
  WeightsFile result;
  result.metadata = file.metadata();
  for (const auto& name : file.names()) {
    result.tensors.emplace_back(name, file.tensor(name));
  }
  return result;
}

WeightsFile read_torch(const FileBytes& bytes) {
  TorchFile file = read_torch_file(bytes);
  return {std::move(file.tensors), std::move(file.metadata), std::move(file.taken_from)};
}

/// Whether the first eight bytes can be the length of a header that lies in the file and begins with a brace.
bool looks_like_safetensors(std::string_view bytes) {
  return bytes.size() > 8 && bytes[8] == '{';
}

WeightsFile read_any(const std::filesystem::path& path, const FileBytes& bytes) {
  const std::string_view view = bytes.view();
  if (view.starts_with("PK") && !looks_like_safetensors(view)) {
    return read_torch(bytes);
  }
  if (view.starts_with("\x80") && !looks_like_safetensors(view)) {
    throw CheckpointError(bytes.name() +
                          ": is a pickle as PyTorch before 1.6 wrote them, which is not read; save it again with a "
                          "newer one: torch.save(torch.load(file), file)");
  }
  if (format_for(path) == Format::torch) {
    throw CheckpointError(bytes.name() + ": is no file of torch.save, which is a zip archive");
  }
  if (format_for(path) != Format::safetensors && !looks_like_safetensors(view)) {
    throw CheckpointError(bytes.name() + ": is neither a safetensors nor a PyTorch file");
  }
  WeightsFile file = read_safetensors(bytes);
  if (const auto found = file.metadata.find("format");
      found != file.metadata.end() && found->second.starts_with("effnetv2.state.")) {
    throw CheckpointError(bytes.name() +
                          ": is a training state, not weights alone; give the run directory, or its best.safetensors");
  }
  return file;
}

}  // namespace

std::string describe_source(const std::filesystem::path& path, const WeightsFile& file) {
  return path.string() + (file.taken_from.empty() ? "" : ", of which \"" + file.taken_from + "\"");
}

bool has_weights_extension(const std::filesystem::path& path) {
  return format_for(path) != Format::none;
}

WeightsFile read_weights_file(const std::filesystem::path& path) {
  WeightsFile file = read_any(path, FileBytes(path));
  if (const auto sum = file.metadata.extract(kChecksum); !sum.empty()) {
    if (sum.mapped() != checksum_of(file.tensors, file.metadata)) {
      throw CheckpointError(path.string() +
                            ": is damaged: its checksum does not fit its contents (a program that "
                            "changed it on purpose has to leave out the metadata \"" +
                            kChecksum + "\")");
    }
  }
  return file;
}

void write_weights_file(const std::filesystem::path& path, const NamedTensors& tensors, const Metadata& metadata) {
  Metadata stored = metadata;
  stored.erase(kChecksum);
  stored[kChecksum] = checksum_of(tensors, stored);
  switch (format_for(path)) {
    case Format::safetensors:
      return write_safetensors(path, tensors, stored);
    case Format::torch:
      return write_torch_file(path, tensors, stored);
    case Format::none:
      throw CheckpointError(path.string() + ": weights are written as .safetensors, .pth or .pt, by the extension");
  }
}

}  // namespace effnetv2
