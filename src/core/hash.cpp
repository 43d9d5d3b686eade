#include "effnetv2/core/hash.h"

#include <cstdio>

namespace effnetv2 {

Fingerprint& Fingerprint::add(std::string_view text) noexcept {
  add(static_cast<std::uint64_t>(text.size()));
  for (const char c : text) {
    byte(static_cast<unsigned char>(c));
  }
  return *this;
}

Fingerprint& Fingerprint::add(std::uint64_t number) noexcept {
  for (int i = 0; i < 8; ++i) {
    byte(static_cast<unsigned char>(number >> (8 * i)));
  }
  return *this;
}

std::string Fingerprint::hex() const {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(state_));
  return text;
}

}  // namespace effnetv2
