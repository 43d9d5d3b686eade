#include "effnetv2/run/evaluation_document.h"

#include <map>

#include "effnetv2/core/interval.h"
#include "effnetv2/core/text.h"

namespace effnetv2 {
namespace {

/// A row for each class that has pictures, and for those of the data that have none.
nlohmann::ordered_json per_class_rows(const EvaluatedSplit& split, const std::vector<Prediction>& predictions) {
  struct Count {
    std::int64_t samples = 0, hits = 0, predicted = 0;
  };
  std::map<std::int64_t, Count> counts;
  for (std::size_t i = 0; i < split.files.size(); ++i) {
    counts[split.files.label(i)];
  }
  for (const auto& one : predictions) {
    ++counts[one.label].samples;
    counts[one.label].hits += one.rank == 0 ? 1 : 0;
    if (const auto found = counts.find(one.predicted); found != counts.end()) {
      ++found->second.predicted;
    }
  }
  const auto share = [](std::int64_t part, std::int64_t whole) {
    return whole > 0 ? nlohmann::ordered_json(static_cast<double>(part) / static_cast<double>(whole))
                     : nlohmann::ordered_json();
  };
  auto rows = nlohmann::ordered_json::array();
  for (const auto& [label, count] : counts) {
    const auto at = static_cast<std::size_t>(label);
    rows.push_back({{"name", printable(split.listing.class_titles[at])},
                    {"id", printable(split.listing.classes[at])},
                    {"samples", count.samples},
                    {"top1", share(count.hits, count.samples)},
                    {"precision", share(count.hits, count.predicted)},
                    {"predicted", count.predicted}});
  }
  return rows;
}

nlohmann::ordered_json interval_of(double share, std::int64_t samples) {
  const Interval interval = wilson_interval(share * static_cast<double>(samples), samples);
  return {interval.low, interval.high};
}

}  // namespace

nlohmann::ordered_json evaluation_document(const EvaluatedSplit& split, const Evaluation& evaluation,
                                           const std::filesystem::path& weights, const std::filesystem::path& output) {
  const Metrics& metrics = evaluation.metrics;
  return {{"split", split.name},
          {"samples", metrics.samples},
          {"loss", metrics.loss},
          {"top1", metrics.top1},
          {"top1_interval", interval_of(metrics.top1, metrics.samples)},
          {"top5", metrics.top5},
          {"top5_interval", interval_of(metrics.top5, metrics.samples)},
          {"per_class", per_class_rows(split, evaluation.predictions)},
          {"seconds", evaluation.seconds},
          {"weights", printable(weights.string())},
          {"data", printable(split.listing.root.string())},
          {"bad_images", split.dataset.bad_images().size()},
          {"files", printable(output.string())}};
}

}  // namespace effnetv2
