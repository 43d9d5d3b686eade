#include "effnetv2/run/evaluation.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "effnetv2/config/strict_json.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/run_paths.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/core/text.h"
#include "effnetv2/data/fingerprint.h"
#include "effnetv2/run/data_setup.h"
#include "effnetv2/run/evaluation_document.h"
#include "effnetv2/run/evaluation_files.h"
#include "effnetv2/run/runtime.h"
#include "effnetv2/train/evaluate.h"

namespace effnetv2 {
namespace {

/// The pictures to measure, labelled by the network's outputs.
struct Pictures {
  Listing listing;
  std::string split;
  FileList files;
};

FileList files_of(const Listing& listing, const std::string& split) {
  if (split == "train") {
    return listing.train;
  }
  if (split == "val") {
    return listing.val;
  }
  if (split == "test") {
    return listing.test;
  }
  FileList all = listing.train;
  all.append(listing.val);
  all.append(listing.test);
  return all;
}

/// The folder's own path, links resolved, so that one folder has one path.
std::filesystem::path real_path(const std::filesystem::path& folder) {
  const auto path = std::filesystem::weakly_canonical(std::filesystem::absolute(folder));
  return path.has_filename() ? path : path.parent_path();
}

/// Labels are positions in a list of names: other names would give other classes' accuracies.
void check_same_classes(const TrainedModel& model, const Listing& listing) {
  const std::string here = listing.root.string();
  const auto classes = printable(listing.classes);
  if (!model.trained_on.empty()) {
    if (model.trained_on != classes) {
      throw DataError(here + ": its class folders are not those that " + model.weights_path.string() +
                      " was trained on: " + nlohmann::json(model.trained_on).dump() + ", here " +
                      nlohmann::json(classes).dump() + "; --match-classes evaluates some of them by name");
    }
    return;
  }
  if (!model.class_ids.empty() && printable(model.class_ids) != classes) {
    throw DataError(here + ": its class folders are not those of data.class_names, " + *model.config.data.class_names +
                    ", in their order; --match-classes evaluates some of them by name");
  }
  const auto outputs = *model.config.model.num_classes;
  if (static_cast<std::int64_t>(classes.size()) != outputs) {
    throw DataError(here + ": has " + std::to_string(classes.size()) + " class folders, the network of " +
                    model.weights_path.string() + " " + std::to_string(outputs) +
                    " classes; with --match-classes and data.class_names, a file with a line for each of them, folders "
                    "are found by name");
  }
}

/// Gives each picture the output that has its folder's name.
void match_classes(const TrainedModel& model, Listing& listing, FileList& files) {
  const auto outputs = *model.config.model.num_classes;
  if (model.class_ids.empty()) {
    throw DataError("--match-classes: the names of the " + std::to_string(outputs) + " classes of " +
                    model.weights_path.string() +
                    " are not known; give data.class_names, a file with a line for each of them, in their order");
  }
  std::map<std::string, std::int64_t> outputs_by_id;
  for (std::size_t i = 0; i < model.class_ids.size(); ++i) {
    outputs_by_id.emplace(model.class_ids[i], static_cast<std::int64_t>(i));
  }
  std::vector<std::int64_t> output_of;
  std::vector<std::string> unknown;
  for (const auto& name : printable(listing.classes)) {
    const auto found = outputs_by_id.find(name);
    if (found == outputs_by_id.end()) {
      unknown.push_back(in_quotes(name));
    }
    output_of.push_back(found == outputs_by_id.end() ? 0 : found->second);
  }
  if (!unknown.empty()) {
    throw DataError(listing.root.string() + ": --match-classes: the network has no class named " + join_words(unknown));
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    files.set_label(i, output_of[static_cast<std::size_t>(files.label(i))]);
  }
  listing.classes = model.class_ids;
  listing.class_titles = model.class_titles;
}

Pictures find_pictures(const EvaluationRequest& request, TrainedModel& model, Log& log) {
  DataConfig& data = model.config.data;
  Pictures pictures;
  pictures.split = request.split.value_or(data.split.choose_on == ChooseOn::test ? "test" : "val");
  if (request.data) {
    const auto given = real_path(*request.data);
    if (!request.split && (!data.root || real_path(*data.root) != given)) {
      pictures.split = "all";
      const bool asked = std::ranges::any_of(request.model.sets, [](const std::string& set) {
        return set.starts_with("data.images_per_class=") ||
               (set.starts_with("data=") && set.find("\"images_per_class\"") != std::string::npos);
      });
      if (!asked) {
        data.images_per_class.reset();
      }
      log.info("other images than data.root's: all of them are evaluated; choose with --split");
    }
    data.root = given.string();
  }
  data.split.choose_on = ChooseOn::val;  // test pictures are called what they are
  if (pictures.split == "all") {
    data.split.val = data.split.test = 0.0;  // nothing has to be left for anything
  }
  pictures.listing = list_configured_images(data);
  pictures.files = files_of(pictures.listing, pictures.split);
  if (pictures.files.empty()) {
    throw DataError(*data.root + ": has no " + pictures.split + " images; choose with --split val|test|train|all");
  }
  if (request.match_classes) {
    match_classes(model, pictures.listing, pictures.files);
  } else {
    check_same_classes(model, pictures.listing);
  }
  return pictures;
}

/// Held-out pictures are so only where those trained on are the same as then.
void check_same_training_images(const EvaluationRequest& request, const Pictures& pictures) {
  const auto changes_data = [](const std::string& set) { return set.starts_with("data"); };
  const bool of_the_run = request.model.run_dir && !request.data && pictures.split != "all" &&
                          std::ranges::none_of(request.model.sets, changes_data);
  const auto file = of_the_run ? RunPaths(*request.model.run_dir).environment() : std::filesystem::path();
  if (!of_the_run || !std::filesystem::is_regular_file(file)) {
    return;
  }
  const auto environment = read_json_object<nlohmann::json>(file);
  const auto then = environment.find("training_images");
  if (then != environment.end() && *then != fingerprint(pictures.listing.train)) {
    throw DataError(printable(pictures.listing.root.string()) + ": its training pictures are not those that " +
                    printable(request.model.run_dir->string()) + " was trained on, which may be among its " +
                    pictures.split + " pictures now; put back what has changed, or name the folder with --data to " +
                    "measure it as it is");
  }
}

/// The pictures' folder that the evaluation in `folder` names, printable; null if there is none that can be read.
std::optional<std::string> measured_in(const std::filesystem::path& folder) {
  const auto file = EvaluationPaths(folder).document();
  if (!std::filesystem::is_regular_file(file)) {
    return std::nullopt;
  }
  const auto document = read_json_object<nlohmann::json>(file);
  const auto data = document.find("data");
  return data != document.end() && data->is_string() ? std::make_optional(data->get<std::string>()) : std::nullopt;
}

/// `folder`, or with a number after it: the first that holds no figures of other pictures.
std::filesystem::path without_others(const std::filesystem::path& folder, const std::string& data) {
  auto free = folder;
  for (int n = 2; measured_in(free).value_or(data) != data; ++n) {
    free = folder.string() + "-" + std::to_string(n);
  }
  return free;
}

std::filesystem::path default_output(const EvaluationRequest& request, const TrainedModel& model,
                                     const std::string& split) {
  std::string name = split;
  if (request.model.checkpoint != "best") {
    name = request.model.checkpoint + "-" + name;
  }
  if (request.data) {
    name = std::filesystem::path(*model.config.data.root).filename().string() + "-" + name;
  }
  if (request.match_classes) {
    name += "-matched";
  }
  const auto place = [&](const std::filesystem::path& folder) {
    return request.data ? without_others(folder, printable(*model.config.data.root)) : folder;
  };
  if (request.model.run_dir) {
    return place(RunPaths(*request.model.run_dir).evaluations() / name);
  }
  // every run calls its weights best.safetensors
  const auto folder = std::filesystem::absolute(model.weights_path).lexically_normal().parent_path();
  const std::string run = folder.filename() == "checkpoints" ? folder.parent_path().filename().string() + "-" : "";
  return place(std::filesystem::path("eval") / (run + model.weights_path.stem().string() + "-" + name));
}

}  // namespace

std::optional<nlohmann::ordered_json> run_evaluation(const EvaluationRequest& request, const ProgressFn& on_progress,
                                                     const std::shared_ptr<Log>& log) {
  TrainedModel model = open_trained_model(request.model, *log);
  const auto network = inference_network(model);
  const Pictures pictures = find_pictures(request, model, *log);
  check_same_training_images(request, pictures);
  const auto output = request.output.value_or(default_output(request, model, pictures.split));
  EvaluationFiles files(output);
  const SplitData data = open_split_once(model.config, pictures.listing.root, pictures.files);
  const InputStage input(model.config.data, network->parameters().front().device());
  const Evaluation evaluation = evaluate(
      *network, *data.loader, input,
      {.bf16 = model.config.precision == Precision::bf16, .stoppable = true, .predictions = true}, on_progress);
  if (stop_requested()) {
    return std::nullopt;
  }
  const Metrics& metrics = evaluation.metrics;
  if (metrics.samples == 0) {
    throw DataError(*model.config.data.root + ": none of the " + pictures.split + " images could be decoded");
  }
  for (const auto& name : data.dataset->bad_images()) {
    log->warn("left out, cannot be decoded: " + name);
  }
  if (!std::isfinite(metrics.loss)) {
    throw NumericError(model.weights_path.string() + ": the loss on the " + pictures.split + " images is " +
                       shortest(metrics.loss) + ": the weights are of no use");
  }
  const nlohmann::ordered_json document = evaluation_document(
      {pictures.split, pictures.listing, pictures.files, *data.dataset}, evaluation, model.weights_path, output);
  files.write(document, pictures.listing, pictures.files, evaluation.predictions);
  return std::make_optional(document);
}

}  // namespace effnetv2
