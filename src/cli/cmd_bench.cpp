#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "effnetv2/config/config.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/text.h"
#include "effnetv2/run/bench.h"

#include "commands.h"
#include "progress_bar.h"

namespace effnetv2::cli {
namespace {

struct Options {
  std::string config;
  std::vector<std::string> sets;
  std::string mode = "train";
  BenchRequest request;
  bool json = false;
  bool paced = false;
  CommonOptions common;
};

void print_profile(const nlohmann::ordered_json& profile) {
  const auto& most = profile["ceilings"];
  std::printf("\nceilings     %.0f GFLOP/s in float32, %.0f in bfloat16, %.1f GB/s copied\n\n",
              most["gflops_per_second"].get<double>(), most["bf16_gflops_per_second"].get<double>(),
              most["gbytes_per_second"].get<double>());
  std::printf("%9s %6s %6s %9s %7s %8s  %s\n", "ms/step", "share", "calls", "GFLOP/s", "GB/s", "ceiling", "operation");
  for (const auto& row : profile["operations"]) {
    if (row["share"].get<double>() < 0.002) {
      break;
    }
    std::printf("%9.2f %5.1f%% %6.0f %9.1f %7.1f %7.0f%%  %s\n", row["ms"].get<double>(),
                100.0 * row["share"].get<double>(), row["calls"].get<double>(), row["gflops_per_second"].get<double>(),
                row["gbytes_per_second"].get<double>(), 100.0 * row["share_of_ceiling"].get<double>(),
                row["name"].get_ref<const std::string&>().c_str());
  }
}

void print_result(const BenchResult& r) {
  std::printf("%s on %s, %s, %lld threads: %lld x %lld px, %lld steps\n", to_string(r.mode).c_str(), r.device.c_str(),
              r.precision.c_str(), static_cast<long long>(r.threads), static_cast<long long>(r.batch_size),
              static_cast<long long>(r.image_size), static_cast<long long>(r.steps));
  std::printf("step         %.2f ms (median; 10 %% to 90 %%: %.2f to %.2f, least %.2f)\n", r.median_ms, r.p10_ms,
              r.p90_ms, r.min_ms);
  std::printf("throughput   %.1f images/s\n", r.images_per_second);
  std::printf("peak memory  %s\n", human_bytes(static_cast<double>(r.peak_memory_bytes)).c_str());
  if (r.ceilings) {
    print_profile(to_json(r)["profile"]);
  }
}

int run(const Options& options) {
  BenchRequest request = options.request;
  request.config = load_config(options.config, options.common.after(options.sets));
  request.mode = options.mode == "infer"  ? BenchMode::infer
                 : options.mode == "data" ? BenchMode::data
                                          : BenchMode::train;
  if (options.paced) {
    request.another_round = [](const BenchResult& round) {
      std::cout << to_json(round).dump() << std::endl;
      std::string line;
      return static_cast<bool>(std::getline(std::cin, line));
    };
  }
  const auto log = options.common.make_log();
  ProgressBar bar(*log, "timing", "steps", !options.common.quiet);
  const BenchResult result = run_bench(
      request, [&](std::int64_t done, std::int64_t total) { bar.update(done, total); }, log);
  bar.finish();
  if (options.paced) {
    if (request.profile) {
      std::cout << to_json(result).dump() << "\n";
    }
  } else if (options.json) {
    std::cout << to_json(result).dump(2) << "\n";
  } else {
    print_result(result);
  }
  return kExitDone;
}

}  // namespace

void add_bench(CLI::App& app, Run& run_verb) {
  auto* verb = app.add_subcommand("bench", "time training steps, inference or data loading");
  const auto options = std::make_shared<Options>();
  add_config_file(*verb, options->config);
  verb->add_option("--mode", options->mode, "train and infer use random images; data reads data.root")
      ->check(CLI::IsMember({"train", "infer", "data"}))
      ->capture_default_str();
  verb->add_option("--steps", options->request.steps, "steps that are timed")->capture_default_str();
  verb->add_option("--warmup", options->request.warmup, "steps before them")->capture_default_str();
  verb->add_flag("--profile", options->request.profile,
                 "also: where the time of a step goes, beside what the machine reaches");
  verb->add_flag(
      "--paced", options->paced,
      "JSON, a line for each round of --steps; one more for each line on stdin; at its end the profile, if asked for");
  add_sets(*verb, options->sets);
  verb->add_flag("--json", options->json, "one JSON document on stdout");
  add_common(*verb, options->common);
  verb->footer(
      "Examples:\n"
      "  effnetv2 bench configs/imagenette-32.json --set model.num_classes=10\n"
      "  effnetv2 bench configs/imagenette-32.json --set model.num_classes=10 --set precision=bf16 --threads 2 --json\n"
      "  effnetv2 bench configs/imagenette-32.json --set model.num_classes=10 --profile\n"
      "  effnetv2 bench configs/imagenette-32.json --mode data --set data.root=photos");
  verb->callback([options, &run_verb] { run_verb = [options] { return run(*options); }; });
}

}  // namespace effnetv2::cli
