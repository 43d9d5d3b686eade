// One program per target: EFFNETV2_FUZZ_TARGET is a function of targets.h.
#include <cstddef>
#include <cstdint>
#include <string>

#include "targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  effnetv2::fuzz::EFFNETV2_FUZZ_TARGET(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
