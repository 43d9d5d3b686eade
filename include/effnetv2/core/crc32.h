#pragma once

#include <cstdint>
#include <string_view>

namespace effnetv2 {

/// The CRC-32 of zip (IEEE 802.3, reflected, polynomial 0xEDB88320) of `bytes`, going on from that of what stands
/// before them.
std::uint32_t crc32(std::string_view bytes, std::uint32_t before = 0) noexcept;

/// The same with Castagnoli's polynomial (RFC 3720, reflected 0x82F63B78), which TFRecord files use.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0) noexcept;

}  // namespace effnetv2
