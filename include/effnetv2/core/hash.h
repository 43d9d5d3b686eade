#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace effnetv2 {

/// FNV-1a, 64 bits, for fingerprints (not against an adversary). Feed it parts; each part is delimited, so
/// ("ab", "c") and ("a", "bc") differ.
class Fingerprint {
 public:
  Fingerprint& add(std::string_view text) noexcept;
  Fingerprint& add(std::uint64_t number) noexcept;
  std::uint64_t value() const noexcept { return state_; }
  /// 16 lower-case hex digits.
  std::string hex() const;

 private:
  void byte(unsigned char b) noexcept { state_ = (state_ ^ b) * 0x100000001B3ull; }
  std::uint64_t state_ = 0xCBF29CE484222325ull;
};

/// Against damage, not against an adversary: any single changed byte changes it. Several GB/s.
std::uint64_t quick_checksum(const void* data, std::size_t bytes) noexcept;

}  // namespace effnetv2
