#include "model_options.h"

#include <CLI/CLI.hpp>

#include "effnetv2/core/error.h"

namespace effnetv2::cli {

TrainedModelRequest ModelOptions::request(const std::string& verb) const {
  if (run_dir.empty() == weights.empty() || weights.empty() != config.empty()) {
    throw ConfigError(verb + ": give either a run directory or --weights FILE with --config CONFIG.json");
  }
  const auto given = [](const std::string& text) {
    return text.empty() ? std::nullopt : std::optional<std::filesystem::path>(text);
  };
  return {given(run_dir), given(weights), given(config), checkpoint, common.after(sets)};
}

void add_model_options(CLI::App& verb, ModelOptions& options) {
  auto* weights = verb.add_option("--weights", options.weights, "a .safetensors, .pth or .pt file, or another run")
                      ->type_name("FILE");
  auto* config =
      verb.add_option("--config", options.config, "the config that goes with --weights")->type_name("CONFIG.json");
  weights->needs(config);
  config->needs(weights);
  verb.add_option("--checkpoint", options.checkpoint, "which weights of the run")
      ->check(CLI::IsMember({"best", "last"}))
      ->capture_default_str();
  add_sets(verb, options.sets);
  add_common(verb, options.common);
}

}  // namespace effnetv2::cli
