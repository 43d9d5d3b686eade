#include <memory>

#include <CLI/CLI.hpp>

#include "train_display.h"

namespace effnetv2::cli {
namespace {

struct Options {
  std::string run_dir;
  std::vector<std::string> sets;
  CommonOptions common;
};

int run_resume(const Options& options) {
  return train_with_display(resume_request(options.run_dir, options.common.after(options.sets)), options.common);
}

}  // namespace

void add_resume(CLI::App& app, Run& run) {
  auto* verb = app.add_subcommand("resume", "go on with a run that was interrupted, or with more epochs");
  const auto options = std::make_shared<Options>();
  verb->add_option("RUN_DIR", options->run_dir, "the run's directory")->required()->type_name("");
  add_sets(*verb, options->sets, "change a key that does not change the result, or train.epochs (repeatable)");
  add_common(*verb, options->common);
  verb->footer(
      "Examples:\n"
      "  effnetv2 resume runs/imagenette-32-1\n"
      "  effnetv2 resume runs/imagenette-32-1 --set train.epochs=500");
  verb->callback([options, &run] { run = [options] { return run_resume(*options); }; });
}

}  // namespace effnetv2::cli
