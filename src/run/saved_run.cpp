#include "effnetv2/run/saved_run.h"

#include <limits>

#include "effnetv2/config/config.h"
#include "effnetv2/core/error.h"
#include "effnetv2/train/state_values.h"

namespace effnetv2 {
namespace {

ExperimentConfig config_of(const StateValues& run) {
  run.object("config");
  const nlohmann::json& document = run.any("config");
  if (document.contains("extends")) {
    run.fail("config", "extends another file");  // it was written whole, and a state names no file to read
  }
  try {
    return parse_config(document, "/");
  } catch (const ConfigError& e) {
    const std::string errors = e.what();  // one a line
    run.fail("config", "cannot be read: " + errors.substr(0, errors.find('\n')));
  }
}

/// As fingerprint() makes it, as far as first_difference() reads it.
nlohmann::json data_of(const StateValues& run) {
  const StateValues data = run.object("data");
  for (const auto& [name, unused] : run.any("data").items()) {
    for (const char* split : {"train", "val", "test"}) {
      data.object(name).object(split).count("images");
    }
  }
  return run.any("data");
}

/// A row of metrics.jsonl, as far as a result is made of it.
nlohmann::ordered_json row_of(const StateValues& run, const std::string& key) {
  if (!run.any(key).is_null()) {
    const StateValues row = run.object(key);
    row.count("epoch");
    for (const char* column : {"val_top1", "val_loss"}) {
      if (!row.any(column).is_null()) {
        row.number(column);
      }
    }
  }
  return run.any(key);
}

std::optional<EventFile::Position> events_of(const StateValues& run) {
  if (!run.has("events")) {
    return std::nullopt;
  }
  const StateValues events = run.object("events");
  const std::int64_t crc = events.count("crc");
  if (crc > std::numeric_limits<std::uint32_t>::max()) {
    events.fail("crc", "must have 32 bits, is " + std::to_string(crc));
  }
  return EventFile::Position{events.count("bytes"), static_cast<std::uint32_t>(crc)};
}

}  // namespace

nlohmann::json to_json(const SavedRun& run) {
  nlohmann::json values{{"config", to_json(run.config)},  {"data", run.data},
                        {"cpu_level", run.cpu_level},     {"metrics_jsonl", run.metrics.jsonl},
                        {"metrics_csv", run.metrics.csv}, {"seconds", run.seconds},
                        {"last_row", run.last_row},       {"best_row", run.best_row},
                        {"bad_images", run.bad_images}};
  if (run.events) {
    values["events"] = {{"bytes", run.events->bytes}, {"crc", run.events->crc}};
  }
  return values;
}

SavedRun saved_run(const TrainState& state) {
  const StateValues values = StateValues(state).object("run");
  SavedRun run;
  run.config = config_of(values);
  run.data = data_of(values);
  run.cpu_level = values.text("cpu_level");
  run.metrics = {values.count("metrics_jsonl"), values.count("metrics_csv")};
  run.seconds = values.number("seconds");
  run.last_row = row_of(values, "last_row");
  run.best_row = row_of(values, "best_row");
  const auto bad_images = values.texts("bad_images");
  run.bad_images = {bad_images.begin(), bad_images.end()};
  run.events = events_of(values);
  return run;
}

}  // namespace effnetv2
