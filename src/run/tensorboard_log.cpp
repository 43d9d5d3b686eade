#include "effnetv2/run/tensorboard_log.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <sstream>

#include "effnetv2/core/text.h"
#include "effnetv2/data/png.h"
#include "effnetv2/run/event.h"

namespace effnetv2 {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kTags{{
    {"epoch", ""},
    {"step", "progress/step"},
    {"lr", "learning_rate"},
    {"train_loss", "loss/train"},
    {"train_top1", "top1/train"},
    {"val_loss", "loss/val"},
    {"val_top1", "top1/val"},
    {"val_top5", "top5/val"},
    {"train_eval_loss", "loss/train_eval"},
    {"train_eval_top1", "top1/train_eval"},
    {"epoch_seconds", "speed/epoch_seconds"},
    {"images_per_second", "speed/images_per_second"},
}};

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string epoch_record(const ordered_json& row, double wall_time) {
  SummaryEvent event(wall_time, row.at("epoch").get<std::int64_t>());
  for (const auto& [column, value] : row.items()) {
    const std::string tag = scalar_tag(column);
    if (!tag.empty() && value.is_number()) {
      event.scalar(tag, value.get<double>());
    }
  }
  return frame_record(event.message());
}

/// JSON is shown as it is, because an indented block of Markdown is; it stays JSON.
std::string as_code_block(const ordered_json& json) {
  std::istringstream lines(json.dump(2));
  std::string block;
  for (std::string line; std::getline(lines, line);) {
    block += "    " + line + "\n";
  }
  return block;
}

}  // namespace

std::string scalar_tag(std::string_view column) {
  const auto it = std::ranges::find(kTags, column, [](const auto& tag) { return tag.first; });
  return std::string(it == kTags.end() ? column : it->second);
}

std::string weight_tag(const std::string& name) {
  // "features.4.0.block": a stage is the child of its list
  const auto group_end = name.find('.', name.find('.') + 1);
  std::string tag = name;
  if (group_end != std::string::npos) {
    tag[group_end] = '/';
  }
  return tag;
}

TensorboardLog::TensorboardLog(const std::filesystem::path& path, const EventFile::Position& keep)
    : is_new_(keep.bytes == 0 || !EventFile::holds(path, keep)), file_(path, is_new_ ? EventFile::Position{} : keep) {
  if (is_new_) {
    file_.append(frame_record(version_event(now())));
  }
}

void TensorboardLog::add_config(std::int64_t epochs_done, const ordered_json& config) {
  SummaryEvent event(now(), epochs_done);
  event.text("config", as_code_block(config));
  file_.append(frame_record(event.message()));
}

void TensorboardLog::add_images(const Dataset& images, const std::vector<std::string>& classes, std::int64_t count,
                                std::uint64_t seed) {
  SummaryEvent event(now(), 0);
  count = std::min(count, images.size());
  for (std::int64_t i = 0; i < count; ++i) {
    // evenly spaced: they are listed class by class
    const std::int64_t index = i * images.size() / count;
    if (const auto image = images.get(index, seed, /*epoch=*/0)) {
      // in the tag too, as TensorBoard's fast loader drops the description
      const std::string name = printable(classes.at(static_cast<std::size_t>(images.label(index))));
      event.image("training_images/" + std::to_string(i) + " " + name,
                  name + ": `" + printable(images.name(index)) + "`", image->width, image->height, encode_png(*image));
    }
  }
  file_.append(frame_record(event.message()));
}

void TensorboardLog::add_epoch(const ordered_json& row) {
  file_.append(epoch_record(row, now()));
}

void TensorboardLog::add_epochs(const std::vector<ordered_json>& rows) {
  double time = now();
  for (const auto& row : rows) {
    time -= row.at("epoch_seconds").get<double>();
  }
  std::string records;
  for (const auto& row : rows) {
    time += row.at("epoch_seconds").get<double>();
    records += epoch_record(row, time);
  }
  file_.append(records);
}

void TensorboardLog::add_weights(std::int64_t epoch, const NamedTensors& weights) {
  SummaryEvent event(now(), epoch);
  for (const auto& [name, tensor] : weights) {
    event.histogram(weight_tag(name), histogram_of(tensor));
  }
  file_.append(frame_record(event.message()));
}

}  // namespace effnetv2
