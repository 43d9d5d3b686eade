#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace effnetv2 {

/// The bytes of a JPEG of the picture with its shorter side at most `side` pixels; nullopt if it cannot be read.
std::optional<std::string> make_thumbnail(const std::filesystem::path& path, std::int64_t side);

}  // namespace effnetv2
