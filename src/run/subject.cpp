#include "effnetv2/run/subject.h"

#include <map>

#include "effnetv2/config/config.h"
#include "effnetv2/core/error.h"
#include "effnetv2/data/class_names.h"
#include "effnetv2/model/architecture.h"
#include "effnetv2/run/network.h"
#include "effnetv2/run/run_directory.h"
#include "effnetv2/run/runtime.h"

namespace effnetv2 {
namespace {

void name_classes(Subject& subject) {
  subject.trained_on = stored_classes(subject.weights);
  subject.class_ids = subject.trained_on;
  std::map<std::string, std::string> titles;
  if (subject.config.data.class_names) {
    const auto names = read_class_names(*subject.config.data.class_names);
    const bool one_each = static_cast<std::int64_t>(names.size()) == *subject.config.model.num_classes;
    for (const auto& [id, title] : names) {
      titles[id] = title;
      if (subject.trained_on.empty() && one_each) {
        subject.class_ids.push_back(id);
      }
    }
  }
  for (const auto& id : subject.class_ids) {
    const auto found = titles.find(id);
    subject.class_titles.push_back(found == titles.end() ? id : found->second);
  }
}

}  // namespace

std::filesystem::path run_weights(const std::filesystem::path& run_dir, const std::string& checkpoint) {
  auto path = run_dir / "checkpoints" / (checkpoint + ".safetensors");
  if (!std::filesystem::exists(path)) {
    throw CheckpointError(path.string() + ": there are no \"" + checkpoint +
                          "\" weights yet; best appears after the first epoch, last at the end of the training");
  }
  return path;
}

Subject open_subject(const SubjectRequest& request, Log& log) {
  Subject subject;
  if (request.run_dir) {
    subject.config = RunDirectory::stored_config(*request.run_dir, request.sets);
    subject.weights_path = run_weights(*request.run_dir, request.checkpoint);
  } else {
    subject.config = load_config(*request.config, request.sets);
    subject.weights_path = std::filesystem::is_directory(*request.weights)
                               ? run_weights(*request.weights, request.checkpoint)
                               : *request.weights;
  }
  subject.config.model = with_defaults(subject.config.model);
  subject.config = resolve_runtime(subject.config, Use::inference);
  apply_runtime(subject.config);
  subject.weights = read_weights_file(subject.weights_path);
  if (!subject.weights.taken_from.empty()) {
    log.info(subject.weights_path.string() + ": taking \"" + subject.weights.taken_from + "\" of the checkpoint");
  }
  if (!subject.config.model.num_classes) {
    // without a classifier the strict loading says what is missing
    subject.config.model.num_classes = stored_num_classes(subject.weights).value_or(1);
  }
  name_classes(subject);
  return subject;
}

std::shared_ptr<EfficientNetImpl> inference_network(const Subject& subject) {
  auto network = build_network(subject.config);
  load_weights(*network, subject.weights, subject.weights_path);
  prepare_for_inference(*network, subject.config.precision);
  return network;
}

}  // namespace effnetv2
