#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "effnetv2/run/histogram.h"
#include "effnetv2/run/wire.h"

namespace effnetv2 {

/// The message that an event file of TensorBoard begins with. wall_time: seconds since 1970.
std::string version_event(double wall_time);

/// Values of one step as one message `Event` (tensorboard/compat/proto/event.proto and summary.proto). A tag's part
/// before the first '/' names its group. Texts have to be UTF-8.
class SummaryEvent {
 public:
  SummaryEvent(double wall_time, std::int64_t step) : wall_time_(wall_time), step_(step) {}

  /// Stored as float32.
  void scalar(std::string_view tag, double value);
  /// For the text tab, which reads it as Markdown.
  void text(std::string_view tag, std::string_view markdown);
  /// png: a whole file of width x height RGB pixels. description: Markdown.
  void image(std::string_view tag, std::string_view description, std::int64_t width, std::int64_t height,
             std::string_view png);
  void histogram(std::string_view tag, const Histogram& histogram);

  std::string message() const;

 private:
  void add(const WireMessage& value);

  double wall_time_;
  std::int64_t step_;
  WireMessage summary_;
};

}  // namespace effnetv2
