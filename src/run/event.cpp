#include "effnetv2/run/event.h"

#include <vector>

namespace effnetv2 {
namespace {

// numbers of the fields, by message
enum EventField { kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5 };
enum SummaryField { kValue = 1 };
enum ValueField { kTag = 1, kSimpleValue = 2, kImage = 4, kHistogram = 5, kTensor = 8, kMetadata = 9 };
enum MetadataField { kPlugin = 1, kDescription = 3 };
enum PluginField { kPluginName = 1 };
enum ImageField { kHeight = 1, kWidth = 2, kColorspace = 3, kEncoded = 4 };
enum HistoField { kMin = 1, kMax = 2, kNum = 3, kSum = 4, kSumSquares = 5, kBucketLimit = 6, kBucket = 7 };
enum TensorField { kType = 1, kShape = 2, kStrings = 8 };

constexpr std::int64_t kRgb = 3;         // of Image.colorspace: the number of channels
constexpr std::int64_t kStringType = 7;  // DT_STRING

/// Who draws a value; the description is shown beside it.
WireMessage metadata(std::string_view plugin, std::string_view description = {}) {
  WireMessage metadata;
  metadata.message(kPlugin, WireMessage().bytes(kPluginName, plugin));
  if (!description.empty()) {
    metadata.bytes(kDescription, description);
  }
  return metadata;
}

}  // namespace

std::string version_event(double wall_time) {
  return WireMessage().real(kWallTime, wall_time).bytes(kFileVersion, "brain.Event:2").str();
}

void SummaryEvent::add(const WireMessage& value) {
  summary_.message(kValue, value);
}

void SummaryEvent::scalar(std::string_view tag, double value) {
  add(WireMessage().bytes(kTag, tag).real(kSimpleValue, static_cast<float>(value)));
}

void SummaryEvent::text(std::string_view tag, std::string_view markdown) {
  const auto tensor =
      WireMessage().integer(kType, kStringType).message(kShape, WireMessage()).bytes(kStrings, markdown);
  add(WireMessage().bytes(kTag, tag).message(kMetadata, metadata("text")).message(kTensor, tensor));
}

void SummaryEvent::image(std::string_view tag, std::string_view description, std::int64_t width, std::int64_t height,
                         std::string_view png) {
  const auto image =
      WireMessage().integer(kHeight, height).integer(kWidth, width).integer(kColorspace, kRgb).bytes(kEncoded, png);
  add(WireMessage().bytes(kTag, tag).message(kMetadata, metadata("images", description)).message(kImage, image));
}

void SummaryEvent::histogram(std::string_view tag, const Histogram& histogram) {
  const auto histo = WireMessage()
                         .real(kMin, histogram.min)
                         .real(kMax, histogram.max)
                         .real(kNum, static_cast<double>(histogram.count))
                         .real(kSum, histogram.sum)
                         .real(kSumSquares, histogram.sum_of_squares)
                         .reals(kBucketLimit, histogram.upper_ends)
                         .reals(kBucket, histogram.counts);
  add(WireMessage().bytes(kTag, tag).message(kHistogram, histo));
}

std::string SummaryEvent::message() const {
  return WireMessage().real(kWallTime, wall_time_).integer(kStep, step_).message(kSummary, summary_).str();
}

}  // namespace effnetv2
