#include <CLI/CLI.hpp>

#include "commands.h"

namespace effnetv2::cli {

std::shared_ptr<Log> CommonOptions::make_log() const {
  return std::make_shared<Log>(quiet ? LogLevel::warn : verbose ? LogLevel::debug : LogLevel::info);
}

std::vector<std::string> CommonOptions::after(std::vector<std::string> sets) const {
  if (device) {
    sets.push_back("device=" + *device);
  }
  if (threads) {
    sets.push_back("threads=" + std::to_string(*threads));
  }
  return sets;
}

void add_config_file(CLI::App& verb, std::string& file) {
  verb.add_option("CONFIG.json", file, "the experiment, a JSON file")->required()->type_name("");
}

void add_sets(CLI::App& verb, std::vector<std::string>& sets, const std::string& help) {
  verb.add_option("--set", sets, help)->take_all()->allow_extra_args(false)->type_name("KEY=VALUE");
}

void add_common(CLI::App& verb, CommonOptions& options) {
  verb.add_option("--device", options.device, "auto, cpu, cuda or cuda:N; the config's \"device\"")
      ->type_name("DEVICE");
  verb.add_option("--threads", options.threads, "threads within one operation; the config's \"threads\"")
      ->check(CLI::Range(1, 1024));
  auto* quiet = verb.add_flag("-q,--quiet", options.quiet, "only warnings and errors on stderr");
  verb.add_flag("-v,--verbose", options.verbose, "more lines on stderr")->excludes(quiet);
}

}  // namespace effnetv2::cli
