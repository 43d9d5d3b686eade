#pragma once

#include <filesystem>
#include <string>

namespace effnetv2 {

/// Writes the weights in `in`, a file or a run directory, to `out`, whose extension decides the kind, and says so in
/// one line. `checkpoint` (best | last) is of a run; both are the averaged weights if it has an EMA. Metadata such as
/// class names stay. Throws ConfigError for an extension that is not written, CheckpointError for a file that cannot be
/// read.
std::string convert_weights(const std::filesystem::path& in, const std::filesystem::path& out,
                            const std::string& checkpoint);

}  // namespace effnetv2
