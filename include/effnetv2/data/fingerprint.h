#pragma once

#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "effnetv2/data/listing.h"

namespace effnetv2 {

/// What resume compares: {"<class>": {"train": {"images", "hash"}, "val": ..., "test": ...}}, the hash over relative
/// paths and sizes. Not of the root, so a moved folder resumes.
nlohmann::json fingerprint(const Listing& listing);

/// Of one list of pictures in its order, over the same.
std::string fingerprint(const FileList& files);

/// The first class in which two fingerprints differ, as text; nullopt if they are equal.
std::optional<std::string> first_difference(const nlohmann::json& before, const nlohmann::json& now);

}  // namespace effnetv2
