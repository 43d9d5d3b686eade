#include "effnetv2/run/prediction.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <nlohmann/json.hpp>

#include "effnetv2/core/error.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/core/text.h"
#include "effnetv2/data/dataset.h"
#include "effnetv2/data/decode.h"
#include "effnetv2/data/listing.h"
#include "effnetv2/data/loader.h"
#include "effnetv2/data/transform.h"
#include "effnetv2/run/run_directory.h"
#include "effnetv2/run/runtime.h"
#include "effnetv2/train/input.h"

namespace effnetv2 {
namespace {

/// Pictures by their paths; one that cannot be read is left out of its batch and its reason kept.
class PathDataset final : public Dataset {
 public:
  PathDataset(std::vector<std::string> paths, const DataConfig& config)
      : paths_(std::move(paths)), transform_(config, Transform::Mode::eval) {}

  std::int64_t size() const noexcept override { return static_cast<std::int64_t>(paths_.size()); }
  std::int64_t image_size() const noexcept override { return transform_.image_size(); }
  std::int64_t label(std::int64_t) const override { return 0; }
  std::string name(std::int64_t index) const override { return paths_[static_cast<std::size_t>(index)]; }

  std::optional<Image> get(std::int64_t index, std::uint64_t, std::int64_t) const override {
    try {
      return transform_.prepare(decode_image(name(index)));
    } catch (const DataError& e) {
      const std::lock_guard lock(mutex_);
      errors_[index] = e.what();
      return std::nullopt;
    }
  }

  std::string error(std::int64_t index) const {
    const std::lock_guard lock(mutex_);
    const auto found = errors_.find(index);
    return found == errors_.end() ? "" : found->second;
  }

 private:
  std::vector<std::string> paths_;
  Transform transform_;
  mutable std::mutex mutex_;
  mutable std::map<std::int64_t, std::string> errors_;
};

std::vector<std::string> expand(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const auto& path : paths) {
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) {
      throw DataError(printable(path) + ": there is no such file or folder");
    }
    if (!std::filesystem::is_directory(path, ignored)) {
      files.push_back(path);
      continue;
    }
    const auto below = list_image_files(path);
    if (below.empty()) {
      throw DataError(printable(path) + ": holds no image (.jpg, .jpeg, .png, .bmp or .webp)");
    }
    files.insert(files.end(), below.begin(), below.end());
  }
  return files;
}

std::vector<PicturePrediction::Answer> best_of(const float* logits, const float* probabilities, std::int64_t outputs,
                                               std::int64_t k, const std::vector<std::string>& titles) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(outputs));
  std::iota(order.begin(), order.end(), 0);
  const auto middle = order.begin() + std::min(k, outputs);
  std::partial_sort(order.begin(), middle, order.end(), [&](std::int64_t a, std::int64_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  std::vector<PicturePrediction::Answer> answers;
  for (auto it = order.begin(); it != middle; ++it) {
    const auto at = static_cast<std::size_t>(*it);
    answers.push_back({*it, at < titles.size() ? titles[at] : std::to_string(*it), probabilities[*it]});
  }
  return answers;
}

void check_finite(const at::Tensor& logits, const Batch& batch, const Dataset& dataset, const TrainedModel& model) {
  const at::Tensor good = logits.isfinite().all(1);
  for (std::int64_t row = 0; row < batch.size; ++row) {
    if (!good[row].item<bool>()) {
      throw NumericError(model.weights_path.string() + ": the answer for " +
                         printable(dataset.name(batch.indices[static_cast<std::size_t>(row)])) + " is not finite");
    }
  }
}

}  // namespace

nlohmann::ordered_json to_json(const PicturePrediction& prediction) {
  nlohmann::ordered_json element{{"path", printable(prediction.path)}, {"top", nlohmann::ordered_json::array()}};
  for (const auto& answer : prediction.top) {
    element["top"].push_back(
        {{"index", answer.index}, {"name", printable(answer.name)}, {"probability", answer.probability}});
  }
  if (!prediction.logits.empty()) {
    element["logits"] = prediction.logits;
  }
  if (!prediction.error.empty()) {
    element["error"] = printable(prediction.error);
  }
  return element;
}

std::int64_t run_prediction(const PredictionRequest& request,
                            const std::function<void(const PicturePrediction&)>& on_result, const ProgressFn& progress,
                            const std::shared_ptr<Log>& log) {
  const auto paths = expand(request.paths);
  if (request.inputs && request.inputs->extension() != ".safetensors") {
    throw ConfigError("predict: --save-inputs writes a .safetensors file, got " + request.inputs->string());
  }
  if (request.inputs && RunDirectory::is_among_checkpoints(*request.inputs)) {
    throw ConfigError("predict: --save-inputs " + request.inputs->string() +
                      " would lie among a run's own checkpoints; choose another place");
  }
  if (request.inputs && std::set<std::string>(paths.begin(), paths.end()).size() != paths.size()) {
    throw ConfigError("predict: --save-inputs names tensors by path, so give each picture once");
  }
  const TrainedModel model = open_trained_model(request.model, *log);
  const auto network = inference_network(model);
  const at::Device device = network->parameters().front().device();
  const auto dataset = std::make_shared<PathDataset>(paths, model.config.data);
  LoaderOptions options;
  options.batch_size = std::min(model.config.train.batch_size, dataset->size());
  options.workers = loader_workers(model.config.data, false);
  Loader loader(dataset, options);
  const InputStage input(model.config.data, device);
  const c10::InferenceMode inference;

  std::int64_t bad = 0;
  NamedTensors seen;
  loader.start(0);
  while (auto batch = loader.next()) {
    at::Tensor logits, probabilities;
    if (batch->size > 0) {
      const at::Tensor images = input(*batch).images;
      for (std::int64_t i = 0; request.inputs && i < batch->size; ++i) {
        seen.emplace_back(dataset->name(batch->indices[static_cast<std::size_t>(i)]), images[i].cpu().contiguous());
      }
      const bool bf16 = model.config.precision == Precision::bf16;
      logits = network->forward(images, nullptr, bf16).to(at::kFloat).cpu().contiguous();
      check_finite(logits, *batch, *dataset, model);
      probabilities = logits.softmax(1);
    }
    const std::int64_t first = batch->number * options.batch_size;
    const std::int64_t end = std::min(first + options.batch_size, dataset->size());
    std::int64_t row = 0;
    for (std::int64_t index = first; index < end; ++index) {
      PicturePrediction result;
      result.path = dataset->name(index);
      if (row < batch->size && batch->indices[static_cast<std::size_t>(row)] == index) {
        const std::int64_t outputs = logits.size(1);
        const float* values = logits.data_ptr<float>() + row * outputs;
        result.top = best_of(values, probabilities.data_ptr<float>() + row * outputs, outputs, request.top_k,
                             model.class_titles);
        if (request.logits) {
          result.logits.assign(values, values + outputs);
        }
        ++row;
      } else {
        result.error = dataset->error(index);
        ++bad;
      }
      on_result(result);
    }
    if (progress) {
      progress(end, dataset->size());
    }
    if (stop_requested()) {
      break;
    }
  }
  if (request.inputs) {
    write_safetensors(*request.inputs, seen);
  }
  return bad;
}

}  // namespace effnetv2
