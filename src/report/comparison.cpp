#include "effnetv2/report/comparison.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "effnetv2/config/keys.h"
#include "effnetv2/core/interval.h"

namespace effnetv2 {
namespace {

using nlohmann::ordered_json;

/// The keys that make one experiment another; a seed only makes another run of it.
std::vector<const ConfigKey*> compared_keys() {
  std::vector<const ConfigKey*> keys = leaf_keys();
  std::erase_if(keys, [](const ConfigKey* key) {
    const bool other_data = key->path == "data.root";  // not semantic only because a folder may be moved
    return (key->field.semantic == Semantic::no && !other_data) || key->path == "seed" || key->path == "device" ||
           key->path == "threads" || key->path.find("[]") != std::string::npos;
  });
  return keys;
}

std::string text_of(const nlohmann::json& config, const std::string& path) {
  const auto* value = find_value(config, path);
  return value == nullptr ? "-" : value->is_string() ? value->get<std::string>() : value->dump();
}

/// The one text that `of` gives for every run of the group; "" if there are several.
template <typename Of>
std::string shared_text(const RunGroup& group, const std::vector<RunRecord>& runs, const Of& of) {
  std::set<std::string> texts;
  for (const std::size_t run : group.runs) {
    texts.insert(of(runs[run]));
  }
  return texts.size() == 1 ? *texts.begin() : "";
}

/// A sweep's name for a point, which says its settings, without the seed; "" for a folder that is only a seed.
std::string point_name(const RunRecord& run) {
  const auto seed = run.name.rfind("seed");
  const bool numbered =
      seed != std::string::npos && run.name.find_first_not_of("0123456789", seed + 4) == std::string::npos;
  return !numbered ? run.name : seed == 0 ? "" : run.name.substr(0, seed - (run.name[seed - 1] == '-' ? 1 : 0));
}

std::string settings_text(const RunGroup& group) {
  std::string label;
  for (const auto& [key, value] : group.settings) {
    const auto dot = key.rfind('.');
    label += (label.empty() ? "" : ", ") + key.substr(dot == std::string::npos ? 0 : dot + 1) + "=" + value;
  }
  return label;
}

/// What a sweep calls the points, else the experiments' names, else their settings: the first that tells all apart.
void label_groups(std::vector<RunGroup>& groups, const std::vector<RunRecord>& runs) {
  const auto try_labels = [&](const auto& of) {
    std::set<std::string> labels;
    for (auto& group : groups) {
      group.label = of(group);
      labels.insert(group.label);
    }
    return labels.size() == groups.size() && !labels.contains("");
  };
  const auto experiment = [](const RunRecord& run) { return text_of(run.config, "name"); };
  if (try_labels([&](const RunGroup& group) { return shared_text(group, runs, point_name); }) ||
      try_labels([&](const RunGroup& group) { return shared_text(group, runs, experiment); })) {
    return;
  }
  try_labels(settings_text);
}

ordered_json value_at(const ordered_json& document, const char* outer, const char* inner) {
  const auto found = document.find(outer);
  return found != document.end() && found->is_object() && found->contains(inner) ? (*found)[inner] : ordered_json();
}

}  // namespace

std::vector<RunGroup> group_runs(const std::vector<RunRecord>& runs) {
  std::vector<std::string> differing;
  for (const ConfigKey* key : compared_keys()) {
    std::set<std::string> texts;
    for (const auto& run : runs) {
      texts.insert(text_of(run.config, key->path));
    }
    if (texts.size() > 1) {
      differing.push_back(key->path);
    }
  }
  std::vector<RunGroup> groups;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    std::map<std::string, std::string> settings;
    for (const auto& path : differing) {
      settings[path] = text_of(runs[i].config, path);
    }
    auto found = std::find_if(groups.begin(), groups.end(), [&](const RunGroup& g) { return g.settings == settings; });
    if (found == groups.end()) {
      groups.push_back({"", settings, {}});
      found = groups.end() - 1;
    }
    found->runs.push_back(i);
  }
  label_groups(groups, runs);
  return groups;
}

ordered_json figures_of(const RunRecord& run) {
  ordered_json figures{{"name", run.name},
                       {"seed", run.config.value("seed", nlohmann::json())},
                       {"state", run.result            ? "done"
                                 : run.metrics.empty() ? "begun"
                                                       : "under way"}};
  const ordered_json last = run.metrics.empty() ? ordered_json::object() : run.metrics.back();
  const ordered_json result = run.result.value_or(ordered_json::object());
  ordered_json best;
  for (const auto& row : run.metrics) {
    if (row.contains("val_top1") && row["val_top1"].is_number() &&
        (!best.is_object() || row["val_top1"] > best["val_top1"])) {
      best = row;
    }
  }
  const auto of_row = [](const ordered_json& row, const char* key) {
    return row.is_object() && row.contains(key) ? row[key] : ordered_json();
  };
  const bool has_best = value_at(result, "best", "epoch").is_number();
  figures["best_top1"] = has_best ? value_at(result, "best", "val_top1") : of_row(best, "val_top1");
  figures["best_epoch"] = has_best ? value_at(result, "best", "epoch") : of_row(best, "epoch");
  figures["final_top1"] = of_row(last, "val_top1");
  figures["final_train_top1"] =
      of_row(last, "train_eval_top1").is_number() ? of_row(last, "train_eval_top1") : of_row(last, "train_top1");
  figures["final_train_loss"] = of_row(last, "train_loss");
  const auto* choose_on = find_value(run.config, "data.split.choose_on");
  figures["choose_on"] = choose_on == nullptr ? "val" : *choose_on;
  figures["test_top1"] = value_at(result, "test", "top1");
  figures["test_samples"] = value_at(result, "test", "samples");
  figures["test_interval"] = nullptr;
  if (figures["test_top1"].is_number() && figures["test_samples"].is_number()) {
    const auto samples = figures["test_samples"].get<std::int64_t>();
    const Interval interval =
        wilson_interval(std::round(figures["test_top1"].get<double>() * static_cast<double>(samples)), samples);
    figures["test_interval"] = {interval.low, interval.high};
  }
  figures["epochs"] = run.metrics.size();
  double seconds = 0.0, speed = 0.0;
  for (const auto& row : run.metrics) {
    const auto number = [&](const char* key) { return of_row(row, key).is_number() ? row[key].get<double>() : 0.0; };
    seconds += number("epoch_seconds");
    speed += number("images_per_second");
  }
  figures["seconds"] = seconds;
  figures["images_per_second"] =
      run.metrics.empty() ? ordered_json() : ordered_json(speed / static_cast<double>(run.metrics.size()));
  const auto network = run.environment.is_object() ? run.environment.find("network") : run.environment.end();
  const bool known = run.environment.is_object() && network != run.environment.end() && network->is_object();
  figures["parameters"] = known ? ordered_json(network->value("parameters", nlohmann::json())) : ordered_json();
  figures["macs"] = known ? ordered_json(network->value("macs", nlohmann::json())) : ordered_json();
  return figures;
}

ordered_json spread_of(const std::vector<ordered_json>& values) {
  std::vector<double> numbers;
  for (const auto& value : values) {
    if (value.is_number()) {
      numbers.push_back(value.get<double>());
    }
  }
  if (numbers.empty()) {
    return {{"n", 0}, {"mean", nullptr}, {"sd", nullptr}};
  }
  const auto n = static_cast<double>(numbers.size());
  double mean = 0.0, squares = 0.0;
  for (const double number : numbers) {
    mean += number / n;
  }
  for (const double number : numbers) {
    squares += (number - mean) * (number - mean);
  }
  return {{"n", numbers.size()},
          {"mean", mean},
          {"sd", numbers.size() > 1 ? ordered_json(std::sqrt(squares / (n - 1.0))) : ordered_json()}};
}

}  // namespace effnetv2
