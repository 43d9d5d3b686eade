#pragma once

#include <filesystem>
#include <vector>

#include "effnetv2/core/log.h"

namespace effnetv2::cli {

/// Reads the runs and writes their page whole or not at all, with thumbnails of pictures. Of several runs, those that
/// cannot be read are left out, and `log` is told. Throws what read_run throws, ConfigError if another file than a page
/// is in the way, and EnvironmentError if it cannot be written.
void write_report(const std::vector<std::filesystem::path>& runs, const std::filesystem::path& output, Log& log);

}  // namespace effnetv2::cli
