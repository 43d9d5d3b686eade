#pragma once

#include <filesystem>
#include <vector>

namespace effnetv2::cli {

/// Reads the runs and writes their page whole or not at all, with thumbnails of pictures. Throws what read_run throws,
/// and EnvironmentError if it cannot be written.
void write_report(const std::vector<std::filesystem::path>& runs, const std::filesystem::path& output);

}  // namespace effnetv2::cli
