#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "effnetv2/config/config.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/text.h"
#include "effnetv2/data/listing.h"
#include "effnetv2/model/architecture.h"
#include "effnetv2/model/summary.h"
#include "effnetv2/run/data_setup.h"

#include "commands.h"

namespace effnetv2::cli {
namespace {

struct Options {
  std::string config;
  std::vector<std::string> sets;
  bool json = false;
  CommonOptions common;
};

std::int64_t count_classes(const ExperimentConfig& config) {
  if (config.model.num_classes) {
    return *config.model.num_classes;
  }
  if (!config.data.root) {
    throw ConfigError(
        "model.num_classes: is not set, and there is no data.root to count classes in; give it with "
        "--set model.num_classes=1000");
  }
  DataConfig names_only = config.data;
  names_only.skip_greyscale = false;  // would open every picture; the folders name the classes
  return resolve_num_classes(config.model, list_images(names_only));
}

nlohmann::ordered_json to_json(const Summary& summary) {
  auto stages = nlohmann::ordered_json::array();
  for (const SummaryRow& row : summary.rows) {
    stages.push_back({{"name", row.name},
                      {"operation", row.operation},
                      {"layers", row.layers},
                      {"stride", row.stride},
                      {"channels", row.channels},
                      {"height", row.height},
                      {"width", row.width},
                      {"parameters", row.parameters},
                      {"macs", row.macs}});
  }
  return {{"parameters", summary.parameters},   {"macs", summary.macs},     {"image_size", summary.height},
          {"num_classes", summary.num_classes}, {"blocks", summary.blocks}, {"stages", stages}};
}

/// Columns padded to their widest cell; the first two to the left, numbers to the right.
void print_columns(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - row[i].size(), ' ');
      line += (i == 0 ? "" : "  ") + (i < 2 ? row[i] + padding : padding + row[i]);
    }
    std::cout << line << '\n';
  }
}

void print_table(const Summary& summary) {
  std::vector<std::vector<std::string>> rows{{"", "operation", "layers", "stride", "output", "parameters", "MACs"}};
  for (const SummaryRow& row : summary.rows) {
    rows.push_back(
        {row.name, row.operation, std::to_string(row.layers), std::to_string(row.stride),
         std::to_string(row.channels) + " x " + std::to_string(row.height) + " x " + std::to_string(row.width),
         with_commas(row.parameters), with_commas(row.macs)});
  }
  rows.push_back({"total", "", std::to_string(summary.blocks) + " blocks", "", "", with_commas(summary.parameters),
                  with_commas(summary.macs)});
  print_columns(rows);
  std::printf("%.2f M parameters, %.3f GMACs for one picture of %lld x %lld\n",
              static_cast<double>(summary.parameters) / 1e6, static_cast<double>(summary.macs) / 1e9,
              static_cast<long long>(summary.width), static_cast<long long>(summary.height));
}

int run(const Options& options) {
  const ExperimentConfig config = load_config(options.config, options.common.after(options.sets));
  const Summary summary =
      summarize(architecture(config.model, count_classes(config)), config.data.image_size, config.data.image_size);
  if (options.json) {
    std::cout << to_json(summary).dump(2) << '\n';
  } else {
    print_table(summary);
  }
  return kExitDone;
}

}  // namespace

void add_summary(CLI::App& app, Run& run_verb) {
  auto* verb = app.add_subcommand("summary", "show a network stage by stage: shapes, parameters, MACs");
  const auto options = std::make_shared<Options>();
  add_config_file(*verb, options->config);
  add_sets(*verb, options->sets);
  verb->add_flag("--json", options->json, "one JSON document on stdout");
  add_common(*verb, options->common);
  verb->footer(
      "Examples:\n"
      "  effnetv2 summary configs/imagenette-32.json --set model.num_classes=1000\n"
      "  effnetv2 summary configs/imagenette-32.json --set model.num_classes=10 --set model.width_mult=0.5 --json");
  verb->callback([options, &run_verb] { run_verb = [options] { return run(*options); }; });
}

}  // namespace effnetv2::cli
