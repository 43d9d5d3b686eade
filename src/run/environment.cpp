#include "effnetv2/run/environment.h"

#include <chrono>
#include <ctime>
#include <fstream>
#include <thread>
#include <vector>

#include <sys/utsname.h>
#include <torch/version.h>
#include <unistd.h>

#include "effnetv2/config/config.h"
#include "effnetv2/config/names.h"
#include "effnetv2/core/cpu_features.h"
#include "effnetv2/core/text.h"
#include "effnetv2/core/version.h"
#include "effnetv2/model/architecture.h"
#include "effnetv2/model/summary.h"
#include "effnetv2/ops/cuda_device.h"

namespace effnetv2 {
namespace {

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) {
      return line.substr(line.find(':') + 2);
    }
  }
  return "unknown";
}

std::vector<std::string> command_line() {
  std::ifstream file("/proc/self/cmdline");
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) {
    words.push_back(printable(word));  // a file's name may be any bytes, JSON is UTF-8
  }
  return words;
}

std::string now_utc() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

}  // namespace

std::string torch_version() {
  return TORCH_VERSION;
}

std::string cuda_version() {
  // not at::hasCUDA(), which newer LibTorch denies where there is no card
  const int version = cuda_runtime_version();
  if (version == 0) {
    return "none";
  }
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

nlohmann::ordered_json describe_environment(const ExperimentConfig& resolved) {
  const Summary network = summarize(architecture(resolved.model, *resolved.model.num_classes), resolved.data.image_size,
                                    resolved.data.image_size);
  utsname system{};
  ::uname(&system);
  return {{"command_line", command_line()},
          {"started", now_utc()},
          {"version", version()},
          {"git_revision", git_revision()},
          {"compiler", compiler()},
          {"libtorch", torch_version()},
          {"opencv", opencv_version()},
          {"cuda", cuda_version()},
          {"cpu_level", to_string(cpu_level())},
          {"config_hash", semantic_hash(resolved)},
          {"device", resolved.device},
          {"precision", name_of(resolved.precision)},
          {"threads", resolved.threads.value_or(0)},
          {"processor", processor()},
          {"network", {{"parameters", network.parameters}, {"macs", network.macs}, {"blocks", network.blocks}}},
          {"cores", std::thread::hardware_concurrency()},
          {"system", std::string(system.sysname) + " " + system.release + " " + system.machine},
          {"host", printable(system.nodename)},
          {"process", ::getpid()}};
}

}  // namespace effnetv2
