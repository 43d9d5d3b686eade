#include "effnetv2/data/loader.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "effnetv2/core/error.h"
#include "effnetv2/core/rng.h"

namespace effnetv2 {
namespace {

/// One started pass; never changes but for `abandoned`, so workers read it without a lock.
struct Pass {
  std::int64_t epoch = 0;
  std::vector<std::int64_t> order;  ///< empty: as they come
  std::atomic<bool> abandoned{false};
};

/// A finished batch or the error in its place.
struct Result {
  std::optional<Batch> batch;
  std::exception_ptr error;
  bool ready() const { return batch || error; }
};

}  // namespace

struct Loader::Impl {
  std::shared_ptr<const Dataset> dataset;
  LoaderOptions options;
  std::int64_t batches = 0;

  std::mutex mutex;
  std::condition_variable work;   ///< a batch may be claimed, or the loader ends
  std::condition_variable ready;  ///< a batch was finished
  std::shared_ptr<Pass> pass;
  std::int64_t claimed = 0;     ///< the next batch that a worker takes
  std::int64_t delivered = 0;   ///< the next batch that next() returns
  std::vector<Result> results;  ///< a ring: batch n waits in slot n % size
  std::exception_ptr failure;
  bool ending = false;
  std::vector<std::thread> threads;

  Impl(std::shared_ptr<const Dataset> set, LoaderOptions chosen) : dataset(std::move(set)), options(chosen) {
    if (options.batch_size < 1 || options.workers < 0) {
      throw std::invalid_argument("Loader: batch_size must be at least 1 and workers at least 0, got " +
                                  std::to_string(options.batch_size) + " and " + std::to_string(options.workers));
    }
    if (options.held && dataset->size() > 0 && dataset->block().empty()) {
      throw std::invalid_argument("Loader: the data set has no block to take pictures from");
    }
    batches = batches_per_epoch(dataset->size(), options.batch_size, options.drop_last);
    claimed = delivered = batches;
    results.resize(2 * static_cast<std::size_t>(options.workers));
    try {
      for (int i = 0; i < options.workers; ++i) {
        threads.emplace_back([this] { run_worker(); });
      }
    } catch (const std::system_error& e) {
      end();
      throw EnvironmentError("cannot start " + std::to_string(options.workers) + " loader threads: " + e.what() +
                             "; lower data.workers");
    }
  }

  ~Impl() { end(); }

  void end() {
    {
      const std::lock_guard lock(mutex);
      ending = true;
      abandon();
    }
    work.notify_all();
    for (auto& thread : threads) {
      thread.join();
    }
  }

  /// Needs the lock.
  void abandon() {
    if (pass) {
      pass->abandoned = true;
    }
    claimed = delivered = batches;
    std::ranges::fill(results, Result{});
  }

  /// Needs the lock.
  bool may_claim() const {
    return claimed < batches && claimed < delivered + static_cast<std::int64_t>(results.size());
  }

  Result& slot(std::int64_t number) { return results[static_cast<std::size_t>(number) % results.size()]; }

  /// False if the picture is bad.
  bool add_pixels(Batch& batch, std::int64_t index, std::int64_t epoch) const {
    const std::optional<Image> image = dataset->get(index, options.seed, epoch);
    if (!image) {
      return false;
    }
    if (image->pixels.size() != static_cast<std::size_t>(batch.image_size * batch.image_size * 3)) {
      throw std::logic_error(dataset->name(index) + ": the data set gave " + std::to_string(image->width) + "x" +
                             std::to_string(image->height) + " where " + std::to_string(batch.image_size) +
                             " pixels a side are due");
    }
    batch.pixels.insert(batch.pixels.end(), image->pixels.begin(), image->pixels.end());
    return true;
  }

  bool add_held(Batch& batch, std::int64_t index, std::int64_t epoch) const {
    const std::optional<bool> mirrored = dataset->mirrored(index, options.seed, epoch);
    if (mirrored) {
      batch.mirrored.push_back(*mirrored ? 1 : 0);
    }
    return mirrored.has_value();
  }

  /// nullopt if the pass is abandoned meanwhile.
  std::optional<Batch> make(const Pass& of, std::int64_t number) const {
    const std::int64_t begin = number * options.batch_size;
    const std::int64_t end = std::min(begin + options.batch_size, dataset->size());
    const auto capacity = static_cast<std::size_t>(end - begin);
    Batch batch;
    batch.number = number;
    batch.image_size = dataset->image_size();
    batch.labels.reserve(capacity);
    batch.indices.reserve(capacity);
    const auto record = static_cast<std::size_t>(batch.image_size * batch.image_size * 3);
    if (options.held) {
      batch.held = dataset.get();
    } else {
      batch.pixels.reserve(capacity * record);
    }
    std::vector<std::int64_t> due(capacity);
    for (std::size_t i = 0; i < capacity; ++i) {
      const std::int64_t position = begin + static_cast<std::int64_t>(i);
      due[i] = of.order.empty() ? position : of.order[static_cast<std::size_t>(position)];
    }
    dataset->will_get(due);
    for (const std::int64_t index : due) {
      if (of.abandoned.load(std::memory_order_relaxed)) {
        return std::nullopt;
      }
      if (!(options.held ? add_held(batch, index, of.epoch) : add_pixels(batch, index, of.epoch))) {
        continue;
      }
      batch.labels.push_back(dataset->label(index));
      batch.indices.push_back(index);
    }
    batch.size = static_cast<std::int64_t>(batch.indices.size());
    return batch;
  }

  void run_worker() {
    std::unique_lock lock(mutex);
    for (;;) {
      work.wait(lock, [this] { return ending || may_claim(); });
      if (ending) {
        return;
      }
      const std::int64_t number = claimed++;
      const std::shared_ptr<Pass> of = pass;
      lock.unlock();
      Result result;
      try {
        result.batch = make(*of, number);
      } catch (...) {
        result.error = std::current_exception();
      }
      lock.lock();
      if (of == pass && !of->abandoned) {
        slot(number) = std::move(result);
        ready.notify_one();
      }
    }
  }

  void start(std::int64_t epoch, std::int64_t first) {
    if (first < 0 || first > batches) {
      throw std::invalid_argument("Loader::start: batch " + std::to_string(first) + " of " + std::to_string(batches));
    }
    auto next_pass = std::make_shared<Pass>();
    next_pass->epoch = epoch;
    if (options.shuffle) {
      next_pass->order.resize(static_cast<std::size_t>(dataset->size()));
      std::iota(next_pass->order.begin(), next_pass->order.end(), std::int64_t{0});
      Rng::stream(options.seed, Purpose::shuffle, static_cast<std::uint64_t>(epoch))
          .shuffle(std::span(next_pass->order));
    }
    {
      const std::lock_guard lock(mutex);
      abandon();
      failure = nullptr;
      pass = std::move(next_pass);
      claimed = delivered = first;
    }
    work.notify_all();
  }

  Result take() {
    std::unique_lock lock(mutex);
    if (options.workers == 0) {
      lock.unlock();
      Result result;
      try {
        result.batch = make(*pass, delivered);
      } catch (...) {
        result.error = std::current_exception();
      }
      ++delivered;
      return result;
    }
    Result& due = slot(delivered);
    ready.wait(lock, [&due] { return due.ready(); });
    Result result = std::exchange(due, Result{});
    ++delivered;
    work.notify_one();
    return result;
  }

  std::optional<Batch> next() {
    if (failure) {
      std::rethrow_exception(failure);
    }
    if (!pass || delivered >= batches) {
      return std::nullopt;
    }
    Result result = take();
    if (result.error) {
      const std::lock_guard lock(mutex);
      abandon();
      failure = result.error;
      std::rethrow_exception(failure);
    }
    return std::move(result.batch);
  }
};

std::int64_t batches_per_epoch(std::int64_t images, std::int64_t batch_size, bool drop_last) {
  return images / batch_size + (!drop_last && images % batch_size != 0 ? 1 : 0);
}

Loader::Loader(std::shared_ptr<const Dataset> dataset, LoaderOptions options)
    : impl_(std::make_unique<Impl>(std::move(dataset), options)) {}
Loader::~Loader() = default;
std::int64_t Loader::batches() const noexcept {
  return impl_->batches;
}
const Dataset& Loader::dataset() const noexcept {
  return *impl_->dataset;
}
void Loader::start(std::int64_t epoch, std::int64_t first) {
  impl_->start(epoch, first);
}
std::optional<Batch> Loader::next() {
  return impl_->next();
}

}  // namespace effnetv2
