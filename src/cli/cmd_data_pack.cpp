#include <cstdio>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "effnetv2/config/config.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/core/text.h"
#include "effnetv2/run/packing.h"

#include "commands.h"
#include "progress_bar.h"

namespace effnetv2::cli {
namespace {

struct Options {
  std::string config;
  std::vector<std::string> sets;
  bool verify = false, json = false;
  CommonOptions common;
};

std::string size_text(std::uint64_t bytes) {
  return human_bytes(static_cast<double>(bytes));
}

void print(const PackedImages& packed) {
  const auto& outcome = packed.outcome;
  std::printf("%s\n  %s images, %s", printable(packed.path.string()).c_str(), with_commas(packed.images).c_str(),
              size_text(packed.bytes).c_str());
  if (outcome.bad > 0) {
    std::printf(", %s that cannot be decoded", with_commas(outcome.bad).c_str());
  }
  if (outcome.stood_already) {
    std::printf("; it stood already\n");
  } else {
    const auto made = static_cast<double>(outcome.decoded + outcome.copied);
    std::printf("; packed in %s, %.0f images/s\n", human_duration(packed.seconds).c_str(), made / packed.seconds);
    std::printf("  %s decoded, %s from another pack, %s kept from before\n", with_commas(outcome.decoded).c_str(),
                with_commas(outcome.copied).c_str(), with_commas(outcome.kept).c_str());
  }
  for (const auto& other : packed.others) {
    std::printf("  of other files, delete it if nothing else uses it: %s, %s\n", printable(other.path.string()).c_str(),
                size_text(other.bytes).c_str());
  }
}

int run_pack(const Options& options) {
  const ExperimentConfig config = load_config(options.config, options.common.after(options.sets));
  const auto log = options.common.make_log();
  ProgressBar bar(*log, "packing", "img", !options.common.quiet);
  install_stop_handlers();
  const auto packs = pack_images(config, options.verify, *log,
                                 [&](std::int64_t done, std::int64_t total) { bar.update(done, total); });
  bar.finish();
  if (!packs) {
    log->info("interrupted; the same command goes on from here");
    return kExitInterrupted;
  }
  if (options.json) {
    std::cout << to_json(*packs).dump(2) << "\n";
  } else {
    for (const auto& packed : *packs) {
      print(packed);
    }
  }
  return kExitDone;
}

}  // namespace

void add_data_pack(CLI::App& verb, Run& run) {
  const auto options = std::make_shared<Options>();
  auto* pack = verb.add_subcommand("pack", "decode a config's images once, into a file that data.cache disk reads");
  add_config_file(*pack, options->config);
  add_sets(*pack, options->sets);
  pack->add_flag("--verify", options->verify, "read all of a pack that stands, and make it anew where it is damaged");
  pack->add_flag("--json", options->json, "one JSON document on stdout");
  add_common(*pack, options->common);
  pack->callback([options, &run] { run = [options] { return run_pack(*options); }; });
}

}  // namespace effnetv2::cli
