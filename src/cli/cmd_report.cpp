#include <filesystem>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>

#include "effnetv2/core/error.h"
#include "effnetv2/core/run_paths.h"

#include "commands.h"
#include "report_writer.h"

namespace effnetv2::cli {
namespace {

struct Options {
  std::vector<std::string> runs;
  std::string output;
  CommonOptions common;
};

int run_report(const Options& options) {
  std::filesystem::path output = options.output;
  if (output.empty()) {
    output = options.runs.size() == 1 ? RunPaths(options.runs.front()).report() : std::filesystem::path("report.html");
  }
  write_report({options.runs.begin(), options.runs.end()}, output, *options.common.make_log());
  std::cout << output.string() << "\n";
  return kExitDone;
}

}  // namespace

void add_report(CLI::App& app, Run& run) {
  auto* verb = app.add_subcommand("report", "draw runs as one HTML page");
  const auto options = std::make_shared<Options>();
  verb->add_option("RUN_DIR", options->runs, "run directories: one for its own page, several to compare them")
      ->required()
      ->type_name("");
  verb->add_option("-o,--output", options->output,
                   "the page to write; default RUN_DIR/report.html for one run, report.html here for several")
      ->type_name("FILE");
  add_common(*verb, options->common);
  verb->footer(
      "Examples:\n"
      "  effnetv2 report runs/imagenette-32-1\n"
      "  effnetv2 report sweeps/first/*-seed* -o first.html");
  verb->callback([options, &run] { run = [options] { return run_report(*options); }; });
}

}  // namespace effnetv2::cli
