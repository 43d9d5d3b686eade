#include <cstdio>
#include <iostream>
#include <memory>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "effnetv2/core/error.h"
#include "effnetv2/run/evaluation.h"

#include "commands.h"
#include "progress_bar.h"

namespace effnetv2::cli {
namespace {

struct Options {
  std::string run_dir, weights, config, checkpoint = "best", data, split;
  std::vector<std::string> sets;
  bool json = false;
  CommonOptions common;
};

void print_table(const nlohmann::ordered_json& result) {
  std::printf("%-32s %9s %9s\n", "class", "images", "top-1");
  for (const auto& row : result["per_class"]) {
    std::printf("%-32.64s %9lld %9s\n", row["name"].get_ref<const std::string&>().c_str(),
                row["samples"].get<long long>(),
                row["top1"].is_null() ? "-" : std::to_string(row["top1"].get<double>()).substr(0, 6).c_str());
  }
  std::printf("\n%s: %lld images, loss %.4f, top-1 %.4f, top-5 %.4f\n",
              result["split"].get_ref<const std::string&>().c_str(), result["samples"].get<long long>(),
              result["loss"].get<double>(), result["top1"].get<double>(), result["top5"].get<double>());
}

int run_eval(const Options& options) {
  if (options.run_dir.empty() == options.weights.empty()) {
    throw ConfigError("eval: give either a run directory or --weights FILE with --config CONFIG.json");
  }
  EvaluationRequest request;
  const auto given = [](const std::string& text) {
    return text.empty() ? std::nullopt : std::optional<std::filesystem::path>(text);
  };
  request.run_dir = given(options.run_dir);
  request.weights = given(options.weights);
  request.config = given(options.config);
  request.data = given(options.data);
  request.checkpoint = options.checkpoint;
  if (!options.split.empty()) {
    request.split = options.split;
  }
  request.sets = options.common.after(options.sets);
  const auto log = options.common.make_log();
  ProgressBar bar(*log, "evaluating", "img", !options.common.quiet);
  const auto result = run_evaluation(
      request, [&](const std::string&, std::int64_t done, std::int64_t total) { bar.update(done, total, "decoding"); },
      [&](std::int64_t done, std::int64_t total) { bar.update(done, total); }, log);
  bar.finish();
  if (!result) {
    log->info("interrupted");
    return kExitInterrupted;
  }
  if (options.json) {
    std::cout << result->dump(2) << "\n";
  } else {
    print_table(*result);
  }
  return kExitDone;
}

}  // namespace

void add_eval(CLI::App& app, Run& run) {
  auto* verb = app.add_subcommand("eval", "measure a trained network on a split");
  const auto options = std::make_shared<Options>();
  auto* run_dir = verb->add_option("run_dir", options->run_dir, "a run's directory");
  auto* weights = verb->add_option("--weights", options->weights, "a .safetensors file")->excludes(run_dir);
  auto* config = verb->add_option("--config", options->config, "the config that goes with --weights");
  weights->needs(config);
  config->needs(weights);
  verb->add_option("--checkpoint", options->checkpoint, "which weights of the run")
      ->check(CLI::IsMember({"best", "last"}))
      ->capture_default_str();
  verb->add_option("--data", options->data, "other images: the folder to use instead of data.root");
  verb->add_option("--split", options->split, "default val, or all with other images")
      ->check(CLI::IsMember({"val", "test", "train", "all"}));
  add_sets(*verb, options->sets);
  verb->add_flag("--json", options->json, "one JSON document on stdout");
  add_common(*verb, options->common);
  verb->footer(
      "Examples:\n"
      "  effnetv2 eval runs/imagenette-32-1\n"
      "  effnetv2 eval runs/imagenette-32-1 --data more-photos --json\n"
      "  effnetv2 eval --weights best.safetensors --config my.json --split test");
  verb->callback([options, &run] { run = [options] { return run_eval(*options); }; });
}

}  // namespace effnetv2::cli
