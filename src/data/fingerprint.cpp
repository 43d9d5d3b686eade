#include "effnetv2/data/fingerprint.h"

#include <array>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "effnetv2/core/hash.h"
#include "effnetv2/core/text.h"

namespace effnetv2 {
namespace {

/// Keys of the document, and the word for each in a message.
constexpr std::array<std::pair<const char*, const char*>, 3> kSplits{
    {{"train", "training"}, {"val", "validation"}, {"test", "test"}}};

/// One class whose entry is not the same, neither null.
std::string difference_of_class(const nlohmann::json& before, const nlohmann::json& now) {
  for (const auto& [key, word] : kSplits) {
    const auto had = before.at(key).at("images").get<std::int64_t>();
    const auto has = now.at(key).at("images").get<std::int64_t>();
    if (had != has) {
      return std::to_string(had) + " " + word + " images before, " + std::to_string(has) + " now";
    }
    if (before.at(key) != now.at(key)) {
      return "the names or sizes of its " + std::to_string(had) + " " + word + " images are not the same";
    }
  }
  return "it is not the same";
}

}  // namespace

nlohmann::json fingerprint(const Listing& listing) {
  nlohmann::json result = nlohmann::json::object();
  const std::array<const FileList*, kSplits.size()> files{&listing.train, &listing.val, &listing.test};
  for (std::size_t split = 0; split < kSplits.size(); ++split) {
    std::vector<Fingerprint> prints(listing.classes.size());
    std::vector<std::int64_t> counts(listing.classes.size());
    const FileList& list = *files[split];
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto label = static_cast<std::size_t>(list.label(i));
      prints[label].add(list.path(i)).add(list.bytes(i));
      ++counts[label];
    }
    for (std::size_t i = 0; i < prints.size(); ++i) {
      result[printable(listing.classes[i])][kSplits[split].first] = {{"images", counts[i]}, {"hash", prints[i].hex()}};
    }
  }
  return result;
}

std::string fingerprint(const FileList& files) {
  Fingerprint print;
  for (std::size_t i = 0; i < files.size(); ++i) {
    print.add(files.path(i)).add(files.bytes(i));
  }
  return print.hex();
}

std::optional<std::string> first_difference(const nlohmann::json& before, const nlohmann::json& now) {
  std::set<std::string> classes;
  for (const auto* document : {&before, &now}) {
    for (const auto& [name, unused] : document->items()) {
      classes.insert(name);
    }
  }
  for (const auto& name : classes) {
    const std::string place = "class \"" + name + "\": ";
    if (!before.contains(name) || !now.contains(name)) {
      return place + (now.contains(name) ? "it is new" : "it is not there any more");
    }
    if (before[name] != now[name]) {
      return place + difference_of_class(before[name], now[name]);
    }
  }
  return std::nullopt;
}

}  // namespace effnetv2
