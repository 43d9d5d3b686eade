#pragma once

#include <array>
#include <string_view>

#include <c10/core/ScalarType.h>

namespace effnetv2 {

/// The typed storages of Python's torch, as pickles name them.
struct StorageType {
  std::string_view global;
  at::ScalarType dtype;
};

inline constexpr std::array kStorageTypes{
    StorageType{"torch FloatStorage", at::kFloat}, StorageType{"torch DoubleStorage", at::kDouble},
    StorageType{"torch HalfStorage", at::kHalf},   StorageType{"torch BFloat16Storage", at::kBFloat16},
    StorageType{"torch LongStorage", at::kLong},   StorageType{"torch IntStorage", at::kInt},
    StorageType{"torch ShortStorage", at::kShort}, StorageType{"torch CharStorage", at::kChar},
    StorageType{"torch ByteStorage", at::kByte},   StorageType{"torch.storage UntypedStorage", at::kByte},
    StorageType{"torch BoolStorage", at::kBool}};

}  // namespace effnetv2
