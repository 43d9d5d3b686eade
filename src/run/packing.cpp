#include "effnetv2/run/packing.h"

#include <chrono>
#include <utility>

#include <nlohmann/json.hpp>

#include "effnetv2/core/text.h"
#include "effnetv2/run/data_setup.h"

namespace effnetv2 {

std::optional<std::vector<PackedImages>> pack_images(const ExperimentConfig& config, bool verify, Log& log,
                                                     const ProgressFn& progress) {
  using Clock = std::chrono::steady_clock;
  const Listing listing = list_configured_images(config.data);
  const PackStore store(pack_folder(config.data));
  PackOptions options = pack_options(config, log, progress);
  options.verify = verify;
  std::vector<PackedImages> packs;
  for (const auto& contents : packs_of(config.data, listing, config.train.eval_train)) {
    const auto begin = Clock::now();
    PackedImages packed;
    packed.outcome = store.make(contents, options);
    const auto pack = std::exchange(packed.outcome.pack, nullptr);
    if (!pack) {
      return std::nullopt;
    }
    packed.path = pack->path();
    packed.bytes = pack->bytes();
    packed.images = static_cast<std::int64_t>(contents.files.size());
    packed.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    packed.others = store.others(contents);
    std::erase_if(packed.others, [&](const PackStore::Other& other) { return other.path == packed.path; });
    packs.push_back(std::move(packed));
  }
  return packs;
}

nlohmann::ordered_json to_json(const std::vector<PackedImages>& packs) {
  auto rows = nlohmann::ordered_json::array(), others = nlohmann::ordered_json::array();
  for (const auto& one : packs) {
    const auto& outcome = one.outcome;
    rows.push_back({{"path", printable(one.path.string())},
                    {"bytes", one.bytes},
                    {"images", one.images},
                    {"bad_images", outcome.bad},
                    {"stood_already", outcome.stood_already},
                    {"decoded", outcome.decoded},
                    {"kept", outcome.kept},
                    {"copied", outcome.copied},
                    {"seconds", one.seconds},
                    {"images_per_second", static_cast<double>(outcome.decoded + outcome.copied) / one.seconds}});
    for (const auto& other : one.others) {
      others.push_back({{"path", printable(other.path.string())}, {"bytes", other.bytes}});
    }
  }
  return {{"packs", rows}, {"others", others}};
}

}  // namespace effnetv2
