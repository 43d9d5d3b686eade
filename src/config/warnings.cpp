#include <nlohmann/json.hpp>

#include "effnetv2/config/config.h"
#include "effnetv2/config/keys.h"
#include "effnetv2/config/names.h"
#include "effnetv2/config/strict_json.h"

namespace effnetv2 {
namespace {

/// Whether `list`, as "adam, adamw", has `word`.
bool has_word(std::string_view list, std::string_view word) {
  for (std::size_t start = 0; start <= list.size();) {
    const std::size_t end = std::min(list.find(", ", start), list.size());
    if (list.substr(start, end - start) == word) {
      return true;
    }
    start = end + 2;
  }
  return false;
}

/// Keys of `object` that are not at their default although its "type" does not read them.
void add_ignored(const ConfigKey& key, const nlohmann::ordered_json& object, std::vector<std::string>& lines) {
  for (const ConfigKey& child : key.children) {
    const auto& value = object.at(child.name);
    if (child.type == ConfigKey::Type::object && value.is_object()) {
      add_ignored(child, value, lines);
    } else if (!child.field.used_by.empty() && value != child.default_value) {
      const auto& type = object.at("type").get_ref<const std::string&>();
      if (!has_word(child.field.used_by, type)) {
        lines.push_back(child.path + ": " + show_value(value) + " is ignored by type \"" + type + "\"; only " +
                        std::string(child.field.used_by) + " reads it");
      }
    }
  }
}

}  // namespace

std::vector<std::string> warnings(const ExperimentConfig& config) {
  std::vector<std::string> lines;
  add_ignored(config_keys(), to_json(config), lines);
  const auto warn = [&](bool when, const char* line) {
    if (when) {
      lines.emplace_back(line);
    }
  };
  warn(config.data.resize == ResizeMode::squash && config.data.resize_size,
       "data.resize_size: is ignored by data.resize \"squash\"; only \"center_crop\" reads it");
  warn(config.train.early_stopping.min_epochs > 0 && !config.train.early_stopping.patience,
       "train.early_stopping.min_epochs: is ignored while train.early_stopping.patience is null");
  warn(config.train.freeze != "none" && !config.model.weights,
       "train.freeze: what it fixes was drawn at random, as model.weights is null");
  warn(config.train.freeze == "none" && config.train.unfreeze_at_epoch,
       "train.unfreeze_at_epoch: is ignored while train.freeze is \"none\"");
  if (config.train.freeze != "none" && config.train.unfreeze_at_epoch) {
    warn(*config.train.unfreeze_at_epoch == 1, "train.unfreeze_at_epoch: is 1, so nothing is ever frozen");
    warn(*config.train.unfreeze_at_epoch > config.train.epochs,
         "train.unfreeze_at_epoch: is after train.epochs, so what is frozen stays so");
  }
  warn(!config.tensorboard.enabled && config.tensorboard.histograms_every_epochs,
       "tensorboard.histograms_every_epochs: is ignored while tensorboard.enabled is false");
  warn(config.train.optimizer.lr == 0.0, "train.optimizer.lr: is 0, so no weight will change");
  return lines;
}

}  // namespace effnetv2
