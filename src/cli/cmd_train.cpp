#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>

#include "effnetv2/config/config.h"
#include "effnetv2/core/error.h"
#include "effnetv2/run/plan.h"

#include "train_display.h"

namespace effnetv2::cli {
namespace {

struct Options {
  std::string config;
  std::vector<std::string> sets;
  std::string run_dir;
  bool resume = false, overwrite = false, dry_run = false;
  CommonOptions common;
};

int run_train(const Options& options) {
  TrainingRequest request;
  request.config = load_config(options.config, options.common.after(options.sets));
  if (options.dry_run) {
    std::cout << describe_plan(request.config);
    return kExitDone;
  }
  if (!options.run_dir.empty()) {
    request.run_dir = options.run_dir;
  }
  request.mode = options.resume      ? StartMode::resume_or_create
                 : options.overwrite ? StartMode::overwrite
                                     : StartMode::create;
  return train_with_display(request, options.common);
}

}  // namespace

void add_train(CLI::App& app, Run& run) {
  auto* verb = app.add_subcommand("train", "train a network from a config");
  const auto options = std::make_shared<Options>();
  add_config_file(*verb, options->config);
  add_sets(*verb, options->sets);
  auto* run_dir =
      verb->add_option("--run-dir", options->run_dir, "where the run lies; default runs/<name>-<n>")->type_name("DIR");
  auto* resume =
      verb->add_flag("--resume", options->resume, "start the run, go on with it, or report it done")->needs(run_dir);
  verb->add_flag("--overwrite", options->overwrite, "replace the run that is in --run-dir")
      ->needs(run_dir)
      ->excludes(resume);
  verb->add_flag("--dry-run", options->dry_run, "show what would be trained; write nothing");
  add_common(*verb, options->common);
  verb->footer(
      "Examples:\n"
      "  effnetv2 train configs/imagenette-32.json --set data.root=photos\n"
      "  effnetv2 train configs/imagenette-32.json --set data.root=photos --dry-run\n"
      "  effnetv2 train my.json --set train.epochs=20 --set model.dropout=0.6 --run-dir runs/dropout --resume");
  verb->callback([options, &run] { run = [options] { return run_train(*options); }; });
}

}  // namespace effnetv2::cli
