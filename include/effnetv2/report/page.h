#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "effnetv2/report/run_record.h"

namespace effnetv2 {

/// Gives the bytes of a small JPEG of a picture; nullopt if it cannot be read.
using Thumbnail = std::function<std::optional<std::string>(const std::filesystem::path&)>;

/// One HTML page that needs nothing else: for one run its curves, classes, confusion and most confident mistakes, for
/// several the comparison of their groups. `thumbnail` makes the pictures of the mistakes; without it there are none.
std::string make_page(const std::vector<RunRecord>& runs, const Thumbnail& thumbnail = {});

}  // namespace effnetv2
