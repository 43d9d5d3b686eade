#include <algorithm>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "effnetv2/config/config.h"
#include "effnetv2/config/keys.h"
#include "effnetv2/core/error.h"
#include "effnetv2/model/architecture.h"
#include "effnetv2/model/summary.h"

#include "commands.h"
#include "failure.h"

namespace effnetv2::cli {
namespace {

struct Options {
  std::string config;
  std::vector<std::string> configs;  // of check
  std::vector<std::string> sets;
  bool markdown = false, origins = false;
  CommonOptions common;

  ExperimentConfig load(const std::string& file) const { return load_config(file, common.after(sets)); }
};

constexpr std::int64_t kUnknownClasses = 1000;

void check_one(const Options& options, const std::string& file) {
  const ExperimentConfig config = options.load(file);
  try {
    const auto network = architecture(with_defaults(config.model), config.model.num_classes.value_or(kUnknownClasses));
    summarize(network, config.data.image_size, config.data.image_size);  // throws for one that no number can count
  } catch (const ConfigError& error) {
    throw ConfigError(file + ": " + error.what());
  }
  const std::string label = options.configs.size() > 1 ? file + ": " : "";
  for (const std::string& line : warnings(config)) {
    std::cout << label << "warning: " << line << "\n";
  }
  std::cout << label << "ok\n";
}

/// One that is bad does not keep the others from being checked.
int run_check(const Options& options) {
  int code = kExitDone;
  for (const std::string& file : options.configs) {
    try {
      check_one(options, file);
    } catch (...) {
      const Failure failure = describe_failure(std::current_exception());
      std::cerr << "error: " << failure.message << std::endl;
      code = std::max(code, failure.exit_code);
    }
  }
  return code;
}

int run_show(const Options& options) {
  ExperimentConfig config = options.load(options.config);
  const nlohmann::ordered_json given = to_json(config);
  config.model = with_defaults(config.model);
  const nlohmann::ordered_json resolved = to_json(config);
  if (!options.origins) {
    std::cout << resolved.dump(2) << "\n";
    return kExitDone;
  }
  for (const auto& [path, from] : value_origins(options.config, options.common.after(options.sets))) {
    const auto& value = *find_value(resolved, path);
    std::cout << path << " = " << value.dump() << "  (" << (value == *find_value(given, path) ? from : "model.arch")
              << ")\n";
  }
  return kExitDone;
}

int run_schema() {
  std::cout << config_schema().dump(2) << "\n";
  return kExitDone;
}

int run_keys(const Options& options) {
  if (options.markdown) {
    std::cout << config_reference();
    return kExitDone;
  }
  std::size_t width = 0;
  for (const ConfigKey* key : leaf_keys()) {
    width = std::max(width, key->path.size());
  }
  for (const ConfigKey* key : leaf_keys()) {
    const std::string value = key->field.required ? "required" : key->default_value.dump();
    std::cout << key->path << std::string(width - key->path.size() + 2, ' ') << key->type_text() << "  " << value
              << "  " << key->field.doc << "\n";
  }
  return kExitDone;
}

void add_config_and_sets(CLI::App& verb, Options& options) {
  add_config_file(verb, options.config);
  add_sets(verb, options.sets);
}

}  // namespace

void add_config(CLI::App& app, Run& run) {
  auto* verb = app.add_subcommand("config", "check, show and explain configs");
  verb->require_subcommand(1);
  const auto options = std::make_shared<Options>();
  const auto add = [&](const std::string& name, const std::string& text, int (*work)(const Options&)) {
    auto* action = verb->add_subcommand(name, text);
    add_common(*action, options->common);
    action->callback([options, &run, work] { run = [options, work] { return work(*options); }; });
    return action;
  };

  auto* check = add("check", "list every error of configs, or print ok; touches no data", run_check);
  check->add_option("CONFIG.json", options->configs, "experiments, JSON files")->required()->type_name("");
  add_sets(*check, options->sets);
  check->footer(
      "Examples:\n"
      "  effnetv2 config check my.json\n"
      "  effnetv2 config check configs/*.json\n"
      "  effnetv2 config check configs/imagenette-32.json --set train.optimizer.lr=1e-3");

  auto* show = add("show", "print the config with every key, as a run would store it", run_show);
  add_config_and_sets(*show, *options);
  show->add_flag("--origins", options->origins, "a key a line, with the file or --set that its value comes from");
  show->footer(
      "Examples:\n"
      "  effnetv2 config show configs/quickstart.json\n"
      "  effnetv2 config show configs/quickstart.json --set model.width_mult=0.25 > narrow.json\n"
      "  effnetv2 config show configs/birds-32-modern.json --origins | grep -v default");

  auto* schema = add("schema", "print the JSON Schema for editors", [](const Options&) { return run_schema(); });
  schema->footer(
      "Example:\n"
      "  effnetv2 config schema > config.schema.json\n"
      "and \"$schema\": \"config.schema.json\" in a config beside it lets an editor complete and check its keys.");

  auto* keys = add("keys", "list every key: path, values, default, meaning", run_keys);
  keys->add_flag("--markdown", options->markdown, "as the tables of docs/config.md");
  keys->footer(
      "Examples:\n"
      "  effnetv2 config keys | grep optimizer\n"
      "  effnetv2 config keys --markdown > docs/config.md");

  verb->footer(
      "Examples:\n"
      "  effnetv2 config check my.json\n"
      "  effnetv2 config show my.json --set train.epochs=20\n"
      "  effnetv2 config keys | grep scheduler");
}

}  // namespace effnetv2::cli
