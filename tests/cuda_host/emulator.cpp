#include "cuda_host/emulator.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <ucontext.h>

namespace effnetv2::cuda_host {

Index thread_index, block_index, block_size, grid_size;
bool capturing = false;

namespace {

constexpr std::size_t kStackBytes = std::size_t{256} << 10;
constexpr unsigned kWarp = 32;
constexpr unsigned kMostThreads = 1024;
constexpr std::size_t kMostShared = std::size_t{48} << 10;  // more has to be asked for
constexpr unsigned kMostBlocksBeyondX = 65535;

enum class State { ready, at_block_barrier, at_warp_barrier, ended };

struct Fiber {
  ucontext_t context;
  std::unique_ptr<char[]> stack;
  Index index;
  State state = State::ready;
  std::uint32_t lanes = 0;  ///< that it waits for
  std::uint64_t value = 0;  ///< for other lanes to read
};

struct Device {
  std::mutex one_launch;
  std::vector<Fiber> fibers = std::vector<Fiber>(kMostThreads);
  unsigned threads = 0;  ///< of a block
  unsigned current = 0;
  ucontext_t scheduler;
  const std::function<void()>* thread = nullptr;
  std::vector<std::uint64_t> shared;
  std::minstd_rand order;
  std::exception_ptr error;
};

Device& device() {
  static Device device;
  return device;
}

unsigned volume(Index size) {
  return size.x * size.y * size.z;
}

Index index_in(Index size, unsigned i) {
  return {i % size.x, i / size.x % size.y, i / (size.x * size.y)};
}

void fiber_main() {
  Device& d = device();
  try {
    (*d.thread)();
  } catch (...) {
    d.error = std::current_exception();  // a fiber has nobody to throw to
  }
  d.fibers[d.current].state = State::ended;
}

void wait(State state) {
  Device& d = device();
  Fiber& fiber = d.fibers[d.current];
  fiber.state = state;
  if (swapcontext(&fiber.context, &d.scheduler) != 0) {
    throw std::logic_error("swapcontext failed");
  }
}

/// Runs `i` until it waits or ends.
void go_on(unsigned i) {
  Device& d = device();
  d.current = i;
  thread_index = d.fibers[i].index;
  if (swapcontext(&d.scheduler, &d.fibers[i].context) != 0) {
    throw std::logic_error("swapcontext failed");
  }
}

void start_block() {
  Device& d = device();
  std::ranges::fill(d.shared, ~std::uint64_t{0});
  for (unsigned i = 0; i < d.threads; ++i) {
    Fiber& fiber = d.fibers[i];
    if (!fiber.stack) {
      fiber.stack = std::make_unique_for_overwrite<char[]>(kStackBytes);
    }
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStackBytes;
    fiber.context.uc_link = &d.scheduler;
    makecontext(&fiber.context, fiber_main, 0);
    fiber.index = index_in(block_size, i);
    fiber.state = State::ready;
  }
}

/// The lanes of the warp whose first thread is `first` that are in `state`.
std::uint32_t lanes_in(unsigned first, State state) {
  const Device& d = device();
  std::uint32_t found = 0;
  for (unsigned lane = 0; lane < kWarp && first + lane < d.threads; ++lane) {
    found |= std::uint32_t{d.fibers[first + lane].state == state} << lane;
  }
  return found;
}

/// Lets go whoever has waited for all others. False if there is nobody.
bool release() {
  Device& d = device();
  bool any = false;
  for (unsigned i = 0; i < d.threads; ++i) {
    Fiber& fiber = d.fibers[i];
    const unsigned first = i / kWarp * kWarp;
    if (fiber.state != State::at_warp_barrier) {
      continue;
    }
    if ((fiber.lanes & lanes_in(first, State::ended)) != 0 ||
        (d.threads - first < kWarp && (fiber.lanes >> (d.threads - first)) != 0)) {
      throw std::logic_error("cuda_host: thread " + std::to_string(i) +
                             " waits for a lane of its warp that has ended or is none");
    }
    if ((fiber.lanes & lanes_in(first, State::at_warp_barrier)) != fiber.lanes) {
      continue;
    }
    const std::uint32_t lanes = fiber.lanes;
    for (unsigned lane = 0; lane < kWarp; ++lane) {
      if ((lanes >> lane & 1) == 0) {
        continue;
      }
      if (d.fibers[first + lane].lanes != lanes) {
        throw std::logic_error("cuda_host: lanes of one warp wait for different lanes");
      }
      d.fibers[first + lane].state = State::ready;
    }
    any = true;
  }
  const auto begin = d.fibers.begin();
  const auto end = begin + d.threads;
  const auto waits = [](const Fiber& fiber) { return fiber.state == State::at_block_barrier; };
  if (!any && std::any_of(begin, end, waits) &&
      std::all_of(begin, end, [&](const Fiber& fiber) { return waits(fiber) || fiber.state == State::ended; })) {
    for (auto fiber = begin; fiber != end; ++fiber) {
      if (waits(*fiber)) {
        fiber->state = State::ready;
      }
    }
    any = true;
  }
  return any;
}

void run_block() {
  Device& d = device();
  start_block();
  std::vector<unsigned> turns(d.threads);
  std::iota(turns.begin(), turns.end(), 0U);
  for (;;) {
    std::ranges::shuffle(turns, d.order);
    for (const unsigned i : turns) {
      if (d.fibers[i].state == State::ready) {
        go_on(i);
      }
      if (d.error) {
        std::rethrow_exception(std::exchange(d.error, nullptr));
      }
    }
    if (std::all_of(d.fibers.begin(), d.fibers.begin() + d.threads,
                    [](const Fiber& fiber) { return fiber.state == State::ended; })) {
      return;
    }
    if (!release()) {
      throw std::logic_error("cuda_host: the threads of a block wait at different barriers, for ever");
    }
  }
}

}  // namespace

void run(Index grid, Index block, std::size_t dynamic_shared_bytes, const std::function<void()>& thread) {
  Device& d = device();
  const std::scoped_lock lock(d.one_launch);
  d.threads = volume(block);
  if (d.threads == 0 || d.threads > kMostThreads || block.z > 64 || volume(grid) == 0 || grid.y > kMostBlocksBeyondX ||
      grid.z > kMostBlocksBeyondX || dynamic_shared_bytes > kMostShared) {
    throw std::logic_error("cuda_host: no card launches such a grid");
  }
  grid_size = grid;
  block_size = block;
  d.thread = &thread;
  d.shared.assign((dynamic_shared_bytes + 7) / 8, 0);
  std::vector<unsigned> blocks(volume(grid));
  std::iota(blocks.begin(), blocks.end(), 0U);
  std::ranges::shuffle(blocks, d.order);
  for (const unsigned i : blocks) {
    block_index = index_in(grid, i);
    run_block();
  }
}

void* dynamic_shared() {
  return device().shared.data();
}

void block_barrier() {
  wait(State::at_block_barrier);
}

void warp_barrier(std::uint32_t lanes) {
  Device& d = device();
  d.fibers[d.current].lanes = lanes;
  if ((lanes >> lane() & 1) == 0) {
    throw std::logic_error("cuda_host: a thread waits for lanes that it is none of");
  }
  wait(State::at_warp_barrier);
}

std::uint64_t exchange(std::uint32_t lanes, std::uint64_t value, unsigned from) {
  Device& d = device();
  const unsigned first = d.current / kWarp * kWarp;
  d.fibers[d.current].value = value;
  warp_barrier(lanes);
  // of a lane that takes no part it is undefined on a card
  const std::uint64_t read = (lanes >> from & 1) == 0 ? ~std::uint64_t{0} : d.fibers[first + from].value;
  warp_barrier(lanes);
  return read;
}

unsigned lane() {
  return device().current % kWarp;
}

}  // namespace effnetv2::cuda_host
