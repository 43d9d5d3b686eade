#include <iostream>
#include <memory>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "effnetv2/core/error.h"
#include "effnetv2/data/synth.h"

#include "commands.h"
#include "progress_bar.h"

namespace effnetv2::cli {
namespace {

struct Options {
  std::string directory;
  SynthOptions synth;
  CommonOptions common;
};

int run_synth(const Options& options) {
  const auto log = options.common.make_log();
  ProgressBar bar(*log, "drawing", "img", !options.common.quiet);
  write_synthetic_dataset(options.directory, options.synth,
                          [&](std::int64_t done, std::int64_t total) { bar.update(done, total); });
  bar.finish();
  std::cout << options.directory << "\n";
  return kExitDone;
}

}  // namespace

void add_data(CLI::App& app, Run& run) {
  auto* verb = app.add_subcommand("data", "make and check data sets");
  verb->require_subcommand(1);
  const auto options = std::make_shared<Options>();
  auto* synth = verb->add_subcommand("synth", "draw a small data set of ten kinds of shapes and textures");
  synth->add_option("dir", options->directory, "where to")->required();
  synth->add_option("--images-per-class", options->synth.images_per_class, "how many")->capture_default_str();
  synth->add_option("--size", options->synth.size, "pixels of a side")->capture_default_str();
  synth->add_option("--seed", options->synth.seed, "another seed, other pictures")->capture_default_str();
  add_common(*synth, options->common);
  synth->callback([options, &run] { run = [options] { return run_synth(*options); }; });
}

}  // namespace effnetv2::cli
