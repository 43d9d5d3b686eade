#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "effnetv2/core/error.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/core/text.h"
#include "effnetv2/run/prediction.h"

#include "model_options.h"
#include "progress_bar.h"

namespace effnetv2::cli {
namespace {

struct Options {
  ModelOptions model;
  std::vector<std::string> paths;
  std::int64_t top_k = 5;
  std::string inputs;
  bool logits = false, json = false;
};

void print(const PicturePrediction& prediction) {
  std::cout << printable(prediction.path) << ":";
  const char* before = " ";
  for (const auto& answer : prediction.top) {
    std::cout << before << printable(answer.name) << " " << fixed(answer.probability, 4);
    before = "; ";
  }
  std::cout << (prediction.error.empty() ? "" : " cannot be read") << "\n";
}

/// Text, or one JSON document that is closed however the work ends.
class Output {
 public:
  explicit Output(bool json) : json_(json) {}
  ~Output() {
    if (json_ && separator_[0] == ',') {
      std::cout << "\n]\n";
    }
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void add(const PicturePrediction& prediction) {
    if (!json_) {
      print(prediction);
      return;
    }
    std::cout << separator_ << to_json(prediction).dump();
    separator_ = ",\n";
  }

 private:
  bool json_;
  const char* separator_ = "[\n";
};

int run_predict(Options options) {
  if (options.model.weights.empty() && !options.paths.empty()) {
    options.model.run_dir = options.paths.front();
    options.paths.erase(options.paths.begin());
  }
  PredictionRequest request{options.model.request("predict"), options.paths, options.top_k, options.logits, {}};
  if (!options.inputs.empty()) {
    request.inputs = options.inputs;
  }
  if (request.paths.empty()) {
    throw ConfigError("predict: give pictures, files or folders" +
                      (options.model.weights.empty()
                           ? " after the run directory, which " + options.model.run_dir + " was taken for"
                           : std::string()));
  }
  const auto log = options.model.common.make_log();
  ProgressBar bar(*log, "predicting", "img", !options.model.common.quiet);
  Output output(options.json);
  const std::int64_t bad = run_prediction(
      request,
      [&](const PicturePrediction& prediction) {
        if (!prediction.error.empty()) {
          log->warn(prediction.error);
        }
        output.add(prediction);
      },
      [&](std::int64_t done, std::int64_t total) {
        std::cout.flush();
        bar.update(done, total);
      },
      log);
  bar.finish();
  if (stop_requested()) {
    log->info("interrupted");
    return kExitInterrupted;
  }
  if (bad > 0) {
    throw DataError(std::to_string(bad) + " of the pictures could not be read; the others were answered");
  }
  return kExitDone;
}

}  // namespace

void add_predict(CLI::App& app, Run& run) {
  auto* verb = app.add_subcommand("predict", "say what pictures show");
  const auto options = std::make_shared<Options>();
  verb->add_option("PATH", options->paths, "RUN_DIR first, unless there is --weights; then pictures, files or folders")
      ->required()
      ->type_name("");
  verb->add_option("--top-k", options->top_k, "answers for each picture")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  auto* logits = verb->add_flag("--logits", options->logits, "the network's outputs too, in the JSON");
  verb->add_option("--save-inputs", options->inputs,
                   "a .safetensors file for the tensors that the network saw, by path")
      ->type_name("FILE");
  logits->needs(verb->add_flag("--json", options->json, "one JSON document on stdout, a picture a line"));
  add_model_options(*verb, options->model);
  verb->footer(
      "Examples:\n"
      "  effnetv2 predict runs/imagenette-32-1 photo.jpg more-photos\n"
      "  effnetv2 predict --weights efficientnet_v2_s-dd5fe13b.pth --config configs/imagenette-384-eval.json "
      "--set data.class_names=names.txt photo.jpg --json\n"
      "data.class_names has a line for each output, \"n01440764 tench, Tinca tinca\"; outputs without a name get "
      "their\n"
      "number.");
  verb->callback([options, &run] { run = [options] { return run_predict(*options); }; });
}

}  // namespace effnetv2::cli
