#include <algorithm>
#include <array>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "effnetv2/core/level_kernels.h"
#include "effnetv2/ops/dense.h"

#include "channels_last.h"
#include "conv_geometry.h"
#include "cpu/filter_grad.h"
#include "record.h"

namespace effnetv2 {

using FilterGradTable = std::array<FilterGradKernels, 2>;  // float32, bfloat16
EFFNETV2_LEVEL_KERNELS(FilterGradTable, filter_grad_kernels)

namespace {

/// Of one axis, the positions of the result that a tap meets: [begin, end), and where in the source the first does.
struct Reach {
  std::int64_t begin, end, source;
};

std::vector<Reach> reaches(const std::vector<Taps>& axis, std::int64_t kernel) {
  std::vector<Reach> result(static_cast<std::size_t>(kernel));
  for (std::int64_t tap = 0; tap < kernel; ++tap) {
    Reach& reach = result[static_cast<std::size_t>(tap)];
    const auto meets = [tap](const Taps& taps) { return tap >= taps.tap && tap < taps.tap + taps.count; };
    const auto begin = std::ranges::find_if(axis, meets);
    const auto end = std::find_if_not(begin, axis.end(), meets);
    reach = {begin - axis.begin(), end - axis.begin(), begin == axis.end() ? 0 : begin->source + tap - begin->tap};
  }
  return result;
}

/// What the kernels walk over: lines along the map's rows, or along the images where the map is small.
struct Walk {
  std::vector<FilterGradLine> lines;
  std::vector<std::int64_t> first_line{0};
  std::vector<FilterGradRun> runs;
  std::vector<std::int64_t> first_run{0};
  std::int64_t grad_step = 0, source_step = 0;
  std::int64_t steps = 0;  ///< of the longest chunk

  /// \param pair positions of a step, 1 or 2
  Walk(const at::Tensor& grad, const at::Tensor& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
       std::int64_t pair)
      : kernel_(kernel), pair_(pair) {
    const std::int64_t images = x.size(0), height = x.size(2), width = x.size(3);
    const std::int64_t grad_height = grad.size(2), grad_width = grad.size(3);
    const std::int64_t outputs = grad.size(1), channels = x.size(1);
    if (kernel == 1 && stride == 1 && padding == 0) {  // no neighbours: all positions are one line
      const std::int64_t positions = images * height * width;
      grad_step = outputs;
      source_step = channels;
      add(positions, 0, [positions](std::int64_t) { return Reach{0, positions, 0}; });
      end_chunk();
      return;
    }
    const auto down = reaches(forward_taps(height, kernel, stride, padding), kernel);
    const auto across = reaches(forward_taps(width, kernel, stride, padding), kernel);
    constexpr std::int64_t kShortest = 16;
    if (grad_width >= kShortest || grad_width > images) {
      grad_step = outputs;
      source_step = stride * channels;
      for (std::int64_t image = 0; image < images; ++image) {
        for (std::int64_t y = 0; y < grad_height; ++y) {
          add(grad_width, (image * grad_height + y) * grad_width * outputs, [&](std::int64_t tap) {
            const Reach& row = down[static_cast<std::size_t>(tap / kernel)];
            Reach reach = across[static_cast<std::size_t>(tap % kernel)];
            if (y < row.begin || y >= row.end) {
              reach.end = reach.begin;
            }
            const std::int64_t source_row = row.source + (y - row.begin) * stride;
            reach.source = ((image * height + source_row) * width + reach.source) * channels;
            return reach;
          });
        }
      }
    } else {
      grad_step = grad_height * grad_width * outputs;
      source_step = height * width * channels;
      for (std::int64_t y = 0; y < grad_height; ++y) {
        for (std::int64_t x_at = 0; x_at < grad_width; ++x_at) {
          add(images, (y * grad_width + x_at) * outputs, [&](std::int64_t tap) {
            const Reach& row = down[static_cast<std::size_t>(tap / kernel)];
            const Reach& column = across[static_cast<std::size_t>(tap % kernel)];
            const bool meets = y >= row.begin && y < row.end && x_at >= column.begin && x_at < column.end;
            const std::int64_t source_row = row.source + (y - row.begin) * stride;
            const std::int64_t source_column = column.source + (x_at - column.begin) * stride;
            return Reach{0, meets ? images : 0, (source_row * width + source_column) * channels};
          });
        }
      }
    }
    end_chunk();
  }

 private:
  /// A line of `length` positions, a piece at a time. `reach_of` gives what a tap meets of it.
  template <typename ReachOf>
  void add(std::int64_t length, std::int64_t grad, const ReachOf& reach_of) {
    for (std::int64_t begin = 0; begin < length; begin += kPositions) {
      const std::int64_t end = std::min(length, begin + kPositions);
      if (positions_ > 0 && positions_ + end - begin > kPositions) {
        end_chunk();
      }
      // of pairs that begin at even positions, and of pairs that begin at odd ones
      std::array<std::int64_t, 2> first{-1, -1};
      for (std::int64_t tap = 0; tap < kernel_ * kernel_; ++tap) {
        const Reach reach = reach_of(tap);
        const std::int64_t from = std::max(begin, reach.begin), to = std::min(end, reach.end);
        if (from >= to) {
          continue;
        }
        const std::int64_t shift = (from - begin) % pair_;
        std::int64_t& line = first[static_cast<std::size_t>(shift)];
        if (line < 0) {
          line = steps_;
          lines.push_back({grad + (begin + shift) * grad_step, end - begin - shift, line});
          steps_ += (end - begin - shift + pair_ - 1) / pair_;
        }
        taps_.push_back(
            {tap,
             {line + (from - begin - shift) / pair_, reach.source + (from - reach.begin) * source_step, to - from}});
      }
      positions_ += end - begin;
    }
  }

  void end_chunk() {
    if (positions_ == 0) {
      return;
    }
    std::ranges::stable_sort(taps_, {}, &TapRun::tap);
    auto next = taps_.begin();
    for (std::int64_t tap = 0; tap < kernel_ * kernel_; ++tap) {
      for (; next != taps_.end() && next->tap == tap; ++next) {
        runs.push_back(next->run);
      }
      first_run.push_back(std::ssize(runs));
    }
    first_line.push_back(std::ssize(lines));
    steps = std::max(steps, steps_);
    taps_.clear();
    positions_ = steps_ = 0;
  }

  static constexpr std::int64_t kPositions = 512;  ///< of a chunk
  struct TapRun {
    std::int64_t tap;
    FilterGradRun run;
  };
  std::int64_t kernel_, pair_;
  std::int64_t positions_ = 0, steps_ = 0;  ///< of the chunk so far
  std::vector<TapRun> taps_;                ///< likewise
};

struct Split {
  std::int64_t rows, columns;  ///< groups of tiles, one task each
};

/// Of `down` by `across` tiles, so that all threads have work, and what a task reads of the source stays in its caches.
/// Costs are cycles for one step of all lines, as measured on one processor; they need not be more than about right.
Split split_tiles(std::int64_t down, std::int64_t across, std::int64_t taps, std::int64_t threads) {
  constexpr std::int64_t kPanels = 8;
  constexpr double kMultiply = 12, kTogether = 8, kReadRow = 6, kReadColumn = 16;
  const auto share = [](std::int64_t count, std::int64_t groups) {
    return static_cast<double>((count + groups - 1) / groups);
  };
  Split best{};
  double least = 0;
  const std::int64_t fewest = (across + kPanels - 1) / kPanels;
  for (std::int64_t columns = fewest; columns <= std::min(across, std::max(fewest, threads)); ++columns) {
    const std::int64_t rows = std::min(down, (threads + columns - 1) / columns);
    const double d = share(down, rows), a = share(across, columns);
    const double cost = share(rows * columns, threads) *
                        (d * a * kMultiply * static_cast<double>(taps) + d * (kTogether + kReadRow) + a * kReadColumn);
    if (best.rows == 0 || cost < least) {
      best = {rows, columns};
      least = cost;
    }
  }
  return best;
}

}  // namespace

at::Tensor dense_grad_weight(const at::Tensor& grad_, const at::Tensor& x_, const at::Tensor& weight,
                             std::int64_t stride, std::int64_t padding, CpuLevel level) {
  EFFNETV2_RECORD("conv_grad_weight", grad_, x_, weight);
  at::Tensor result = at::empty(weight.sizes(), weight.options().dtype(at::kFloat), at::MemoryFormat::ChannelsLast);
  if (x_.numel() == 0 || grad_.numel() == 0) {
    return result.zero_();
  }
  const bool half = x_.scalar_type() == at::kBFloat16 && multiplies_bf16(weight, level);
  const at::ScalarType factors = half ? at::kBFloat16 : at::kFloat;
  const at::Tensor grad = channels_last(grad_).to(factors), x = channels_last(x_).to(factors);
  const FilterGradKernels& kernel = filter_grad_kernels_at(level)[half ? 1 : 0];
  const Walk walk(grad, x, weight.size(2), stride, padding, half ? 2 : 1);
  const FilterGrad work{grad.size(1),
                        x.size(1),
                        weight.size(2) * weight.size(3),
                        walk.grad_step,
                        walk.source_step,
                        std::ssize(walk.first_line) - 1,
                        walk.lines.data(),
                        walk.first_line.data(),
                        walk.runs.data(),
                        walk.first_run.data(),
                        grad.data_ptr(),
                        x.data_ptr(),
                        result.data_ptr<float>()};
  const std::int64_t down = (work.rows + kernel.tile_rows - 1) / kernel.tile_rows;
  const std::int64_t across = (work.columns + kernel.panel_columns - 1) / kernel.panel_columns;
  const auto [rows, columns] = split_tiles(down, across, work.taps, at::get_num_threads());
  at::parallel_for(0, rows * columns, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::byte> scratch(static_cast<std::size_t>(walk.steps * kernel.step_bytes + kernel.slack_bytes));
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t row = task % rows, column = task / rows;
      kernel.reduce(work, down * row / rows, down * (row + 1) / rows, across * column / columns,
                    across * (column + 1) / columns, scratch.data());
    }
  });
  return result;
}

}  // namespace effnetv2
