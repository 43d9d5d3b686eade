#include "effnetv2/run/out_of_memory.h"

#include <algorithm>
#include <array>
#include <new>
#include <string_view>

#include <c10/core/Device.h>
#include <c10/util/Exception.h>
#include <sys/resource.h>
#include <unistd.h>

#include "effnetv2/model/summary.h"
#include "effnetv2/ops/cuda_device.h"
#include "effnetv2/train/optimizer.h"

namespace effnetv2 {

std::string out_of_memory(const std::exception_ptr& thrown) {
  // LibTorch has few exception types of its own, so the kind is read from the words
  static constexpr std::array<std::string_view, 4> kWords{"out of memory", "can't allocate memory", "not enough memory",
                                                          "CUBLAS_STATUS_ALLOC_FAILED"};
  try {
    std::rethrow_exception(thrown);
  } catch (const c10::Error& e) {
    const std::string text = e.what_without_backtrace();
    const bool meant = std::ranges::any_of(kWords, [&](auto words) { return text.find(words) != std::string::npos; });
    return meant ? text.substr(0, text.find('\n')) : "";
  } catch (const std::bad_alloc&) {
    return "the system has no more to give";
  } catch (...) {
    return "";
  }
}

double memory_of_device(const ExperimentConfig& config) {
  const c10::Device device(config.device);
  if (!device.is_cpu()) {
    return cuda_kernels_built() ? static_cast<double>(cuda_memory_bytes(std::max<int>(0, device.index()))) : 0.0;
  }
  double bytes = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    bytes = std::min(bytes, static_cast<double>(limit.rlim_cur));
  }
  return std::max(bytes, 0.0);
}

std::string out_of_memory_advice(const ExperimentConfig& config, const Architecture& network, double memory,
                                 const std::string& what, const std::string& kept) {
  const std::int64_t fits =
      largest_batch_within(memory, summarize(network, config.data.image_size, config.data.image_size),
                           optimizer_slots(config.train.optimizer), config.train.ema.decay.has_value(),
                           config.precision == Precision::bf16 ? 2 : 4);
  // an estimate that says that this very batch fits is wrong by something: half of it does more surely
  const std::int64_t smaller = std::min(fits, std::max<std::int64_t>(1, config.train.batch_size / 2));
  std::string text = "out of memory: " + what + "; train.batch_size " + std::to_string(config.train.batch_size) +
                     " does not fit at data.image_size " + std::to_string(config.data.image_size);
  text += smaller >= 1 && config.train.batch_size > 1 ? "; by estimate train.batch_size " + std::to_string(smaller) +
                                                            " does (train.accumulate makes larger steps of it)"
                                                      : "; a smaller data.image_size needs less";
  return kept.empty() ? text : text + "; " + kept;
}

}  // namespace effnetv2
