#include "effnetv2/run/conversion.h"

#include "effnetv2/core/error.h"
#include "effnetv2/core/text.h"
#include "effnetv2/run/run_directory.h"
#include "effnetv2/weights/weights_file.h"

namespace effnetv2 {

std::string convert_weights(const std::filesystem::path& in, const std::filesystem::path& out,
                            const std::string& checkpoint) {
  if (!has_weights_extension(out)) {
    throw ConfigError("convert: OUT must end in .safetensors, .pth or .pt, got " + out.string());
  }
  if (RunDirectory::is_among_checkpoints(out)) {
    throw ConfigError("convert: " + out.string() + " would lie among a run's own checkpoints; choose another place");
  }
  const auto source = std::filesystem::is_directory(in) ? RunDirectory::weights(in, checkpoint) : in;
  WeightsFile file = read_weights_file(source);
  file.metadata.try_emplace("format", "pt");  // what Python's readers of safetensors look for
  write_weights_file(out, file.tensors, file.metadata);
  return out.string() + ": " + with_commas(static_cast<std::int64_t>(file.tensors.size())) + " tensors from " +
         describe_source(source, file);
}

}  // namespace effnetv2
