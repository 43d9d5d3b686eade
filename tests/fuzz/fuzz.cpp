// One program per target: EFFNETV2_FUZZ_TARGET is a function of the header EFFNETV2_FUZZ_TARGETS.
#include <cstddef>
#include <cstdint>
#include <string>

#include EFFNETV2_FUZZ_TARGETS

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  effnetv2::fuzz::EFFNETV2_FUZZ_TARGET(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
