#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "effnetv2/core/cores.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/core/text.h"
#include "effnetv2/data/idx.h"
#include "effnetv2/data/statistics.h"
#include "effnetv2/data/synth.h"
#include "effnetv2/data/verify.h"

#include "commands.h"
#include "progress_bar.h"

namespace effnetv2::cli {
namespace {

constexpr int kExitBadData = 3;

struct Options {
  std::string directory, images, labels;
  SynthOptions synth;
  std::int64_t size = 64;
  bool json = false;
  CommonOptions common;

  int workers() const { return static_cast<int>(common.threads.value_or(usable_cores())); }
};

/// Runs `work` with a progress bar and hands what it gives to `print`, unless a signal ended it early: then 130.
template <typename Work, typename Print>
int with_bar(const Options& options, const char* label, const Work& work, const Print& print) {
  const auto log = options.common.make_log();
  ProgressBar bar(*log, label, "img", !options.common.quiet);
  install_stop_handlers();
  const auto result = work([&](std::int64_t done, std::int64_t total) { bar.update(done, total); });
  bar.finish();
  if (stop_requested()) {
    log->info("interrupted");
    return kExitInterrupted;
  }
  return print(result);
}

int run_synth(const Options& options) {
  return with_bar(
      options, "drawing",
      [&](const ProgressFn& progress) {
        write_synthetic_dataset(options.directory, options.synth, progress);
        return options.directory;
      },
      [](const std::string& directory) {
        std::cout << directory << "\n";
        return kExitDone;
      });
}

nlohmann::ordered_json to_json(const Verification& found) {
  nlohmann::ordered_json json{{"images", found.images}, {"clean", found.clean()}};
  json["faults"] = found.faults;
  json["classes"] = json["bad"] = json["duplicates"] = nlohmann::ordered_json::array();
  for (const auto& one : found.classes) {
    json["classes"].push_back({{"name", printable(one.name)}, {"images", one.images}});
  }
  for (const auto& one : found.bad) {
    json["bad"].push_back({{"path", printable(one.path)}, {"reason", one.reason}});
  }
  for (const auto& one : found.duplicates) {
    json["duplicates"].push_back({{"paths", printable(one.paths)},
                                  {"across_classes", one.across_classes},
                                  {"across_splits", one.across_splits}});
  }
  return json;
}

void print(const Verification& found) {
  for (const auto& one : found.classes) {
    std::printf("%9s  %s\n", with_commas(one.images).c_str(), printable(one.name).c_str());
  }
  for (const auto& fault : found.faults) {
    std::printf("wrong: %s\n", fault.c_str());
  }
  for (const auto& one : found.bad) {
    std::printf("bad: %s\n", one.reason.c_str());
  }
  for (const auto& one : found.duplicates) {
    std::printf("same bytes%s%s:\n", one.across_classes ? " in different classes" : "",
                one.across_splits ? " in different splits" : "");
    for (const auto& path : one.paths) {
      std::printf("  %s\n", printable(path).c_str());
    }
  }
  std::printf("%s images: %zu bad, %zu groups of duplicates\n", with_commas(found.images).c_str(), found.bad.size(),
              found.duplicates.size());
}

int run_verify(const Options& options) {
  return with_bar(
      options, "decoding",
      [&](const ProgressFn& progress) { return verify_images(options.directory, options.workers(), progress); },
      [&](const Verification& found) {
        if (options.json) {
          std::cout << to_json(found).dump(2) << "\n";
        } else {
          print(found);
        }
        return found.clean() ? kExitDone : kExitBadData;
      });
}

nlohmann::ordered_json to_json(const Statistics& s) {
  nlohmann::ordered_json json{{"images", s.images},
                              {"bad", s.bad},
                              {"greyscale", s.greyscale},
                              {"mean", s.mean},
                              {"std", s.std},
                              {"width", {s.least_width, s.most_width}},
                              {"height", {s.least_height, s.most_height}}};
  for (const auto& one : s.classes) {
    json["classes"].push_back({{"name", printable(one.name)}, {"images", one.images}});
  }
  return json;
}

void print(const Statistics& s) {
  for (const auto& one : s.classes) {
    std::printf("%9s  %s\n", with_commas(one.images).c_str(), printable(one.name).c_str());
  }
  std::printf("%s images, %s greyscale, %s bad; %lld to %lld wide, %lld to %lld high\n", with_commas(s.images).c_str(),
              with_commas(s.greyscale).c_str(), with_commas(s.bad).c_str(), static_cast<long long>(s.least_width),
              static_cast<long long>(s.most_width), static_cast<long long>(s.least_height),
              static_cast<long long>(s.most_height));
  std::printf("\"mean\": [%.4f, %.4f, %.4f], \"std\": [%.4f, %.4f, %.4f]\n", s.mean[0], s.mean[1], s.mean[2], s.std[0],
              s.std[1], s.std[2]);
}

int run_stats(const Options& options) {
  return with_bar(
      options, "decoding",
      [&](const ProgressFn& progress) {
        return measure_images(options.directory, options.size, options.workers(), progress);
      },
      [&](const Statistics& found) {
        if (options.json) {
          std::cout << to_json(found).dump(2) << "\n";
        } else {
          print(found);
        }
        return kExitDone;
      });
}

int run_from_idx(const Options& options) {
  return with_bar(
      options, "writing",
      [&](const ProgressFn& progress) {
        return convert_idx(options.images, options.labels, options.directory, progress);
      },
      [&](std::int64_t count) {
        std::cout << with_commas(count) << " images in " << options.directory << "\n";
        return kExitDone;
      });
}

}  // namespace

void add_data(CLI::App& app, Run& run) {
  auto* verb = app.add_subcommand("data", "make and check data sets");
  verb->require_subcommand(1);
  const auto options = std::make_shared<Options>();
  const auto add = [&](const char* name, const char* what, int (*work)(const Options&)) {
    auto* sub = verb->add_subcommand(name, what);
    sub->callback([options, work, &run] { run = [options, work] { return work(*options); }; });
    return sub;
  };

  auto* synth = add("synth", "draw a small data set of ten kinds of shapes and textures", run_synth);
  synth->add_option("DIR", options->directory, "where to")->required()->type_name("");
  synth->add_option("--images-per-class", options->synth.images_per_class, "how many")->capture_default_str();
  synth->add_option("--size", options->synth.size, "pixels of a side")->capture_default_str();
  synth->add_option("--seed", options->synth.seed, "another seed, other pictures")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();

  auto* verify =
      add("verify", "list unreadable images, duplicates and class sizes; exit 3 if something is wrong", run_verify);
  verify->add_option("DIR", options->directory, "a folder with one folder of images per class")
      ->required()
      ->type_name("");
  verify->add_flag("--json", options->json, "one JSON document on stdout");

  auto* stats = add("stats", "counts, sizes, and the mean and standard deviation of each channel", run_stats);
  stats->add_option("DIR", options->directory, "a folder with one folder of images per class")
      ->required()
      ->type_name("");
  stats->add_option("--size", options->size, "squash images to this side first; 0: take them as they are")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  stats->add_flag("--json", options->json, "one JSON document on stdout");

  auto* from_idx = add("from-idx", "turn MNIST's files into folders of PNG images", run_from_idx);
  from_idx->add_option("IMAGES", options->images, "such as train-images-idx3-ubyte")->required()->type_name("");
  from_idx->add_option("LABELS", options->labels, "such as train-labels-idx1-ubyte")->required()->type_name("");
  from_idx->add_option("DIR", options->directory, "where to; a new folder")->required()->type_name("");

  add_data_pack(*verb, run);

  for (auto* sub : {synth, verify, stats, from_idx}) {
    add_common(*sub, options->common);
  }
  verb->footer(
      "Examples:\n"
      "  effnetv2 data synth shapes\n"
      "  effnetv2 data verify photos\n"
      "  effnetv2 data stats photos --size 128\n"
      "  effnetv2 data pack configs/imagenette-32.json --set data.root=photos\n"
      "  effnetv2 data from-idx train-images-idx3-ubyte train-labels-idx1-ubyte mnist/train");
}

}  // namespace effnetv2::cli
