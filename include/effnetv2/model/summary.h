#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "effnetv2/model/architecture.h"

namespace effnetv2 {

/// One row of the table: the stem, a stage, the head or the classifier.
struct SummaryRow {
  std::string name;       ///< "stem", "stage 1", ..., "head", "classifier"
  std::string operation;  ///< "conv 3x3", "Fused-MBConv x4 3x3", ...
  std::int64_t layers = 0, stride = 1;
  std::int64_t channels = 0, height = 0, width = 0;  ///< output
  std::int64_t parameters = 0;
  std::int64_t macs = 0;  ///< multiply-accumulates of convolutions and Linear for one picture
};

struct Summary {
  std::int64_t parameters = 0, macs = 0, blocks = 0;
  std::int64_t height = 0, width = 0;  ///< input
  std::int64_t num_classes = 0;
  std::int64_t activations = 0;  ///< floats that one training picture keeps for backward, an estimate
  std::vector<SummaryRow> rows;
};

/// Throws ConfigError if a count does not fit into 64 bits.
Summary summarize(const Architecture& architecture, std::int64_t height, std::int64_t width);

/// True if a square picture of `image_size` pixels has shrunk to one pixel before the pooling.
bool ends_in_one_pixel(const Architecture& architecture, std::int64_t image_size);

/// Bytes that training takes, an estimate: weights, gradients, `optimizer_slots` states, EMA, activations.
double estimate_training_bytes(const Summary& summary, std::int64_t batch_size, int optimizer_slots, bool ema,
                               int activation_bytes);

/// The largest batch whose training fits into `memory` bytes by that estimate, with a tenth of them left for what it
/// leaves out; 0 if none does.
std::int64_t largest_batch_within(double memory, const Summary& summary, int optimizer_slots, bool ema,
                                  int activation_bytes);

}  // namespace effnetv2
