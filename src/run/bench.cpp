#include "effnetv2/run/bench.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <nlohmann/json.hpp>

#include "effnetv2/config/names.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/rng.h"
#include "effnetv2/ops/cuda_device.h"
#include "effnetv2/ops/step_graph.h"
#include "effnetv2/run/data_setup.h"
#include "effnetv2/run/network.h"
#include "effnetv2/run/runtime.h"
#include "effnetv2/train/input.h"
#include "effnetv2/train/optimizer.h"
#include "effnetv2/train/train_step.h"

namespace effnetv2 {
namespace {

using Step = std::function<void(std::int64_t number)>;

/// Peak resident memory of this process, from the kernel's own count.
std::int64_t peak_resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) {
      return std::stoll(line.substr(6)) * 1024;
    }
  }
  return 0;
}

/// Every pixel and label drawn anew from `seed`: zeros would time faster than pictures do.
Batch random_batch(std::int64_t size, std::int64_t image_size, std::int64_t num_classes, std::uint64_t seed) {
  Rng rng = Rng::stream(seed, Purpose::test);
  Batch batch;
  batch.size = size;
  batch.image_size = image_size;
  batch.pixels.resize(static_cast<std::size_t>(size * image_size * image_size * 3));
  for (auto& pixel : batch.pixels) {
    pixel = static_cast<std::uint8_t>(rng.below(256));
  }
  batch.labels.resize(static_cast<std::size_t>(size));
  for (auto& label : batch.labels) {
    label = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(num_classes)));
  }
  return batch;
}

/// Linear between the two nearest; sorted, not empty.
double quantile(const std::vector<double>& sorted, double q) {
  const double position = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const auto above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (position - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

/// Of one round; `images`: what its steps gave.
BenchResult result_of(const BenchRequest& request, std::vector<double> milliseconds, std::int64_t images) {
  const ExperimentConfig& config = request.config;
  std::ranges::sort(milliseconds);
  BenchResult result;
  result.mode = request.mode;
  result.device = request.mode == BenchMode::data ? "cpu" : config.device;
  result.precision = std::string(name_of(config.precision));
  result.threads = config.threads.value_or(0);
  result.image_size = config.data.image_size;
  result.batch_size = config.train.batch_size;
  result.steps = request.steps;
  result.median_ms = quantile(milliseconds, 0.5);
  result.min_ms = milliseconds.front();
  result.p10_ms = quantile(milliseconds, 0.1);
  result.p90_ms = quantile(milliseconds, 0.9);
  result.mean_ms = std::accumulate(milliseconds.begin(), milliseconds.end(), 0.0) / static_cast<double>(request.steps);
  const double step_ms = request.mode == BenchMode::data ? result.mean_ms : result.median_ms;
  result.images_per_second = static_cast<double>(images) / static_cast<double>(result.steps) / (step_ms / 1000.0);
  result.peak_memory_bytes =
      result.device == "cpu" ? peak_resident_bytes() : cuda_peak_bytes(at::Device(result.device).index());
  return result;
}

/// Milliseconds of `steps` steps from `first` on. On a card they are not waited for one by one, as in training.
std::vector<double> time_round(std::int64_t steps, std::int64_t first, at::Device device, const Step& step,
                               const Step& report) {
  if (device.is_cuda()) {
    CudaStopwatch watch(device.index());
    watch.mark();
    for (std::int64_t i = 0; i < steps; ++i) {
      step(first + i);
      watch.mark();
    }
    return watch.milliseconds();
  }
  std::vector<double> milliseconds;
  for (std::int64_t i = 0; i < steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    step(first + i);
    milliseconds.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    report(i + 1);
  }
  return milliseconds;
}

/// The last round. `images`: a count that the steps after the warm-up keep, where it is not a batch for each.
/// plain: a step for request.profile.
BenchResult time_steps(const BenchRequest& request, at::Device device, const Step& step, const Step& plain,
                       const ProgressFn& progress, const std::int64_t* images = nullptr) {
  const auto report = [&](std::int64_t done) {
    if (progress) {
      progress(done, request.warmup + request.steps);
    }
  };
  for (std::int64_t i = 0; i < request.warmup; ++i) {
    if (device.is_cuda() && i + 1 == request.warmup) {
      cuda_reset_peak(device.index());  // memory of cuDNN's choice among its algorithms is no step's
    }
    step(i);
    report(i + 1);
  }
  BenchResult result;
  std::int64_t next = request.warmup, images_before = 0;
  do {
    auto milliseconds =
        time_round(request.steps, next, device, step, [&](auto done) { report(request.warmup + done); });
    next += request.steps;
    const std::int64_t images_now =
        images != nullptr ? *images : images_before + request.steps * request.config.train.batch_size;
    result = result_of(request, std::move(milliseconds), images_now - images_before);
    images_before = images_now;
  } while (request.another_round && request.another_round(result));
  if (request.profile) {
    constexpr std::int64_t kSteps = 3;
    result.operations = device.is_cuda()
                            ? profile_queued_operations(plain, kSteps, card_clock(device.index()), result.median_ms)
                            : profile_operations(plain, kSteps);
  }
  return result;
}

BenchResult bench_train(const BenchRequest& request, at::Device device, const ProgressFn& progress) {
  const ExperimentConfig& config = request.config;
  const auto network = build_network(config);
  network->train();
  Optimizer optimizer(config.train.optimizer, optimized_parameters(*network, config.train.optimizer));
  const Batch batch =
      random_batch(config.train.batch_size, config.data.image_size, *config.model.num_classes, config.seed);
  std::unique_ptr<cuda::CapturableStream> stream;
  if (step_graphs_for(config)) {
    stream = std::make_unique<cuda::CapturableStream>(device);
  }
  TrainStep recorded(config, *network, optimizer, nullptr, step_graphs_for(config));
  TrainStep plain(config, *network, optimizer, nullptr, {});  // its operations can be told apart
  const auto run_with = [&](TrainStep& step) {
    return [&](std::int64_t number) { step.run(batch, number, config.train.optimizer.lr); };
  };
  return time_steps(request, device, run_with(recorded), run_with(plain), progress);
}

BenchResult bench_infer(const BenchRequest& request, at::Device device, const ProgressFn& progress) {
  const ExperimentConfig& config = request.config;
  const auto network = build_network(config);
  prepare_for_inference(*network);
  const c10::InferenceMode inference;
  const Batch batch =
      random_batch(config.train.batch_size, config.data.image_size, *config.model.num_classes, config.seed);
  const Input input = InputStage(config.data, device)(batch);
  const bool bf16 = config.precision == Precision::bf16;
  const auto step = [&](std::int64_t) { network->forward(input.images, nullptr, bf16); };
  return time_steps(request, device, step, step, progress);
}

BenchResult bench_data(const BenchRequest& request, const ProgressFn& progress, const std::shared_ptr<Log>& log) {
  ExperimentConfig config = request.config;
  config.device = "cpu";  // pictures that a card holds would cost nothing
  const Listing listing = list_configured_images(config.data);
  const SplitData train = open_split(config, listing, listing.train, "train", Transform::Mode::train, *log, {});
  if (train.loader->batches() == 0) {
    throw ConfigError("train.drop_last: leaves no batch of " + std::to_string(config.train.batch_size) + " from " +
                      std::to_string(listing.train.size()) + " images; use a smaller train.batch_size");
  }
  std::int64_t epoch = 0, images = 0;  // as the last batch of an epoch can be short
  train.loader->start(epoch);
  const auto step = [&](std::int64_t number) {
    auto batch = train.loader->next();
    if (!batch) {
      train.loader->start(++epoch);
      batch = train.loader->next();
    }
    images += number < request.warmup ? 0 : batch->size;
  };
  return time_steps(request, at::kCPU, step, step, progress, &images);
}

}  // namespace

std::string to_string(BenchMode mode) {
  switch (mode) {
    case BenchMode::infer:
      return "infer";
    case BenchMode::data:
      return "data";
    default:
      return "train";
  }
}

BenchResult run_bench(const BenchRequest& asked, const ProgressFn& progress, const std::shared_ptr<Log>& log) {
  if (asked.steps < 1 || asked.warmup < 0) {
    throw ConfigError("bench: steps must be at least 1 and warmup at least 0, got " + std::to_string(asked.steps) +
                      " and " + std::to_string(asked.warmup));
  }
  BenchRequest request = asked;
  ExperimentConfig& config = request.config;
  config = resolve_runtime(config, request.mode == BenchMode::infer ? Use::inference : Use::training);
  apply_runtime(config);
  if (!config.model.num_classes && request.mode != BenchMode::data) {
    if (!config.data.root) {
      throw ConfigError(
          "model.num_classes: is not set, and there is no data.root to count classes in; give it with "
          "--set model.num_classes=1000");
    }
    config.model.num_classes = resolve_num_classes(config.model, list_configured_images(config.data));
  }
  const at::Device device(config.device);
  if (request.profile && request.mode == BenchMode::data) {
    throw ConfigError("bench: --profile is for training and inference, not for mode data");
  }

  if (request.mode == BenchMode::data) {
    return bench_data(request, progress, log);
  }
  BenchResult result = request.mode == BenchMode::infer ? bench_infer(request, device, progress)
                                                        : bench_train(request, device, progress);
  if (request.profile) {
    result.ceilings = measure_ceilings(config.device);
  }
  return result;
}

nlohmann::ordered_json to_json(const BenchResult& result) {
  nlohmann::ordered_json document{{"mode", to_string(result.mode)},
                                  {"device", result.device},
                                  {"precision", result.precision},
                                  {"threads", result.threads},
                                  {"image_size", result.image_size},
                                  {"batch_size", result.batch_size},
                                  {"steps", result.steps},
                                  {"median_step_ms", result.median_ms},
                                  {"mean_step_ms", result.mean_ms},
                                  {"min_step_ms", result.min_ms},
                                  {"p10_step_ms", result.p10_ms},
                                  {"p90_step_ms", result.p90_ms},
                                  {"images_per_second", result.images_per_second},
                                  {"peak_memory_bytes", result.peak_memory_bytes}};
  if (result.ceilings) {
    document["profile"] = to_json(result.operations, *result.ceilings, result.precision == "bf16");
  }
  return document;
}

}  // namespace effnetv2
