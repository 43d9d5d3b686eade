#include <cstdio>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "effnetv2/core/error.h"
#include "effnetv2/core/text.h"
#include "effnetv2/run/evaluation.h"

#include "model_options.h"
#include "progress_bar.h"

namespace effnetv2::cli {
namespace {

struct Options {
  ModelOptions model;
  std::string data, split, output;
  bool match_classes = false, json = false;
};

std::string share(const nlohmann::ordered_json& value) {
  return value.is_null() ? "-" : fixed(value.get<double>(), 4);
}

void print_table(const nlohmann::ordered_json& result) {
  std::printf("%-32s %9s %9s %9s\n", "class", "images", "top-1", "precision");
  for (const auto& row : result["per_class"]) {
    std::printf("%-32.64s %9lld %9s %9s\n", row["name"].get_ref<const std::string&>().c_str(),
                row["samples"].get<long long>(), share(row["top1"]).c_str(), share(row["precision"]).c_str());
  }
  const auto interval = [&](const char* key) {
    return "[" + share(result[key][0]) + ", " + share(result[key][1]) + "]";
  };
  std::printf("\n%s: %lld images, loss %.4f, top-1 %s %s, top-5 %s %s (95 %% intervals)\n",
              result["split"].get_ref<const std::string&>().c_str(), result["samples"].get<long long>(),
              result["loss"].get<double>(), share(result["top1"]).c_str(), interval("top1_interval").c_str(),
              share(result["top5"]).c_str(), interval("top5_interval").c_str());
  std::printf("%s: eval.json, confusion.csv, predictions.csv\n", result["files"].get_ref<const std::string&>().c_str());
}

int run_eval(const Options& options) {
  EvaluationRequest request;
  request.model = options.model.request("eval");
  request.match_classes = options.match_classes;
  if (!options.data.empty()) {
    request.data = options.data;
  }
  if (!options.split.empty()) {
    request.split = options.split;
  }
  if (!options.output.empty()) {
    request.output = options.output;
  }
  const auto log = options.model.common.make_log();
  ProgressBar bar(*log, "evaluating", "img", !options.model.common.quiet);
  const auto result = run_evaluation(
      request, [&](std::int64_t done, std::int64_t total) { bar.update(done, total); }, log);
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
  verb->add_option("RUN_DIR", options->model.run_dir, "a run's directory")->type_name("");
  verb->add_option("--data", options->data, "other images: the folder to use instead of data.root")->type_name("DIR");
  verb->add_option("--split", options->split, "default val, or all with other images")
      ->check(CLI::IsMember({"val", "test", "train", "all"}));
  verb->add_flag("--match-classes", options->match_classes,
                 "find class folders by name among the network's classes, which may be more");
  verb->add_option("-o,--output", options->output,
                   "where eval.json, confusion.csv and predictions.csv go; default RUN_DIR/eval/[<data>-]<split>, or "
                   "eval/<weights>-[<data>-]<split> here, with a number after it where that holds other pictures' "
                   "figures")
      ->type_name("DIR");
  verb->add_flag("--json", options->json, "one JSON document on stdout");
  add_model_options(*verb, options->model);
  verb->footer(
      "Examples:\n"
      "  effnetv2 eval runs/imagenette-32-1\n"
      "  effnetv2 eval runs/imagenette-32-1 --data more-photos --json\n"
      "  effnetv2 eval --weights best.safetensors --config my.json --split test\n"
      "  effnetv2 eval --weights efficientnet_v2_s-dd5fe13b.pth --config configs/imagenette-384-eval.json --data "
      "data/imagenette/val --match-classes --set data.class_names=names.txt\n"
      "data.class_names has a line for each class, \"n01440764 tench, Tinca tinca\"; for --match-classes one for each\n"
      "output of the network, in their order.");
  verb->callback([options, &run] { run = [options] { return run_eval(*options); }; });
}

}  // namespace effnetv2::cli
