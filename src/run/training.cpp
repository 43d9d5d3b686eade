#include "effnetv2/run/training.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <system_error>
#include <utility>

#include "effnetv2/config/config.h"
#include "effnetv2/config/names.h"
#include "effnetv2/config/strict_json.h"
#include "effnetv2/core/cpu_features.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/core/text.h"
#include "effnetv2/core/version.h"
#include "effnetv2/data/fingerprint.h"
#include "effnetv2/model/architecture.h"
#include "effnetv2/run/environment.h"
#include "effnetv2/run/evaluation_document.h"
#include "effnetv2/run/evaluation_files.h"
#include "effnetv2/run/metrics_log.h"
#include "effnetv2/run/network.h"
#include "effnetv2/run/out_of_memory.h"
#include "effnetv2/run/plan.h"
#include "effnetv2/run/result.h"
#include "effnetv2/run/run_directory.h"
#include "effnetv2/run/runtime.h"
#include "effnetv2/run/saved_run.h"
#include "effnetv2/run/tensorboard_log.h"
#include "effnetv2/train/checkpoint.h"
#include "effnetv2/train/evaluate.h"
#include "effnetv2/train/train_progress.h"

namespace effnetv2 {
namespace {

using Clock = std::chrono::steady_clock;

const char* name_of(StopReason reason) {
  return reason == StopReason::early_stopping ? "early_stopping" : "epochs";
}

/// "auto" asked of a run that exists means what the run has.
ExperimentConfig with_stored_choices(ExperimentConfig asked, const ExperimentConfig& stored) {
  if (asked.device == "auto") {
    asked.device = stored.device;
  }
  if (asked.precision == Precision::automatic) {
    asked.precision = stored.precision;
  }
  if (!asked.threads) {
    asked.threads = stored.threads;
  }
  if (!asked.model.num_classes) {
    asked.model.num_classes = stored.model.num_classes;
  }
  return asked;
}

/// A run's folders below data.root would be classes of the data the next time they are listed. Names that begin with a
/// dot are passed over there.
void check_outside_data(const std::filesystem::path& run, const DataConfig& data) {
  if (!data.root) {
    return;  // the listing says so
  }
  std::error_code unknown;
  const auto canonical = [&](const std::filesystem::path& path) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(path, unknown), unknown);
  };
  const auto root = canonical(*data.root);
  const auto below = canonical(run).lexically_relative(root);
  if (below.empty() || *below.begin() == ".." ||
      std::ranges::any_of(below, [](const auto& name) { return name != "." && name.native().starts_with('.'); })) {
    return;
  }
  throw ConfigError(printable(run.string()) + ": lies in data.root, " + printable(root.string()) +
                    ", where a run's folders would be taken for classes; choose a --run-dir outside of it");
}

NamedTensors weights_of(const EfficientNetImpl& network) {
  NamedTensors weights;
  for (const auto& parameter : network.named_parameters()) {
    weights.emplace_back(parameter.key(), parameter.value());
  }
  return weights;
}

/// What a run goes on from.
struct SavedState {
  TrainState state;
  TrainProgress progress;
  SavedRun run;
};

/// One training process on one run directory.
class TrainingRun {
 public:
  TrainingRun(const TrainingRequest& request, const TrainingEvents& events, std::shared_ptr<Log> log)
      : request_(request), events_(events), log_(std::move(log)), config_(request.config) {
    config_.model = with_defaults(config_.model);
  }

  TrainingOutcome run() {
    check_outside_data(request_.run_dir.value_or(RunDirectory::kDefaultParent), config_.data);
    if (request_.run_dir) {
      open_directory(*request_.run_dir);
    }
    if (auto done = report_if_done()) {
      return *done;
    }
    // whatever can be found wrong is, before anything of an earlier run is touched
    asked_precision_ = config_.precision;
    config_ = resolve_runtime(config_, Use::training);
    apply_runtime(config_);
    listing_ = list_configured_images(config_.data);
    data_ = fingerprint(listing_);
    config_.model.num_classes = resolve_num_classes(config_.model, listing_);
    check_plan(config_, listing_);
    std::optional<SavedState> saved = read_saved_state();
    auto network = build_network(config_);
    if (!saved) {
      initial_weights_ = load_initial_weights(*network, config_, listing_.classes);
    }
    // pictures are decoded before an earlier run is touched, but a new run is one even if it is killed meanwhile
    const bool anew = !saved && !replacing_;
    if (anew) {
      begin(saved);
    }
    if (!open_data()) {
      return interrupted();
    }
    if (!anew) {
      begin(saved);
    }
    if (config_.tensorboard.enabled) {
      open_tensorboard(saved);
    }
    Trainer trainer(config_, network, {*train_.loader, val_.loader.get(), train_eval_.loader.get()}, hooks());
    trainer_ = &trainer;
    if (saved) {
      trainer.restore(saved->state);
      saved.reset();
      log_->info("resumed at step " + std::to_string(trainer.steps_done()) + ", epoch " +
                 std::to_string(trainer.epochs_done() + 1) + " of " + std::to_string(config_.train.epochs));
    }
    StopReason reason;
    try {
      reason = trainer.fit();
    } catch (const NumericError& e) {
      throw NumericError(std::string(e.what()) + "; " + last_good_);
    } catch (const std::exception&) {
      if (const auto what = out_of_memory(std::current_exception()); !what.empty()) {
        throw EnvironmentError(
            out_of_memory_advice(config_, network->architecture(), memory_of_device(config_), what, last_good_));
      }
      throw;
    }
    if (reason == StopReason::interrupted) {
      save();
      return interrupted();
    }
    return finish(reason);
  }

 private:
  /// Whether a run is there. Throws ConfigError where none may begin.
  bool find_run(const std::filesystem::path& path) const {
    if (!RunDirectory::holds_run(path)) {
      RunDirectory::check_free(path);
      return false;
    }
    if (request_.mode == StartMode::create) {
      throw ConfigError(path.string() +
                        ": holds a run already; use resume to go on with it, or train --overwrite to replace it");
    }
    return true;
  }

  /// A new one is made when the run begins: what is refused leaves nothing.
  void make_directory() {
    if (!request_.run_dir) {
      dir_.emplace(RunDirectory::next_free(config_.name));
      return;
    }
    dir_.emplace(*request_.run_dir);
    if (find_run(*request_.run_dir)) {  // now that nobody else can make one
      throw EnvironmentError(dir_->path().string() +
                             ": the run directory was in use by another process meanwhile; start again");
    }
  }

  void open_directory(const std::filesystem::path& path) {
    if (!find_run(path)) {
      return;
    }
    dir_.emplace(path);
    replacing_ = request_.mode == StartMode::overwrite;
    if (!replacing_) {
      log_->add_file(dir_->log());
    }
    if (replacing_ || !dir_->has_progress()) {
      return;
    }
    const ExperimentConfig stored = RunDirectory::stored_config(path);
    config_ = with_stored_choices(config_, stored);
    check_same_settings(stored);
  }

  /// The device's index may change, its kind may not: first_semantic_difference knows.
  void check_same_settings(ExperimentConfig stored) const {
    ExperimentConfig asked = config_;
    stored.precision = resolved_precision(stored, Use::training);
    asked.precision = resolved_precision(asked, Use::training);
    if (const auto difference = first_semantic_difference(stored, asked)) {
      throw ConfigError(dir_->path().string() + ": cannot go on with other settings: " + *difference +
                        "; train with another --run-dir to keep both");
    }
  }

  /// A finished run stays finished unless it is asked for more epochs than it had.
  std::optional<TrainingOutcome> report_if_done() {
    if (!dir_ || replacing_) {
      return std::nullopt;
    }
    if (!std::filesystem::exists(dir_->result())) {
      if (std::filesystem::exists(dir_->last()) && !holds_state(dir_->checkpoints())) {
        throw CheckpointError(
            dir_->result().string() +
            ": is gone, and there is no training state to make it from again; --overwrite starts anew");
      }
      return std::nullopt;
    }
    TrainingOutcome outcome;
    outcome.run_dir = dir_->path();
    outcome.was_done = true;
    try {
      const auto result = read_json_object<nlohmann::ordered_json>(dir_->result());
      const bool early = result.at("stopped_by") == "early_stopping";
      outcome.reason = early ? StopReason::early_stopping : StopReason::epochs;
      outcome.summary = describe_result(result);
      if (!early && result.at("epochs").get<std::int64_t>() < config_.train.epochs) {
        if (!holds_state(dir_->checkpoints())) {
          throw CheckpointError(dir_->path().string() +
                                ": cannot train for more epochs: the run kept no state "
                                "(checkpoint.keep_state_when_done was false)");
        }
        return std::nullopt;
      }
    } catch (const nlohmann::json::exception&) {
      if (!holds_state(dir_->checkpoints())) {
        throw CheckpointError(dir_->result().string() +
                              ": is damaged, and there is no training state to make it from again; --overwrite starts "
                              "anew");
      }
      log_->warn(dir_->result().string() + ": is damaged; it is made again from the training state");
      return std::nullopt;
    }
    warn_of_another_config();
    // the end of the run may have been cut short before it
    if (config_.checkpoint.keep_state_when_done) {
      dir_->remove_leftovers();
    } else {
      dir_->remove_state();
    }
    return outcome;
  }

  /// Of a finished run, which its config.json is not asked about. Another build may number the same settings otherwise.
  void warn_of_another_config() const {
    if (!std::filesystem::exists(dir_->environment()) || !std::filesystem::exists(dir_->config())) {
      return;
    }
    const auto ended = read_json_object<nlohmann::json>(dir_->environment());
    const auto said = [&](const char* key) {
      const bool is_text = ended.contains(key) && ended[key].is_string();
      return is_text ? ended[key].get<std::string>() : "";
    };
    ExperimentConfig stored = RunDirectory::stored_config(dir_->path());
    stored.precision = resolved_precision(stored, Use::training);
    if (said("version") == version() && said("git_revision") == git_revision() &&
        said("config_hash") != semantic_hash(stored)) {
      log_->warn(dir_->config().string() +
                 ": was changed after the run had ended; the result is that of the settings before");
    }
  }

  std::optional<SavedState> read_saved_state() {
    if (!dir_ || replacing_) {
      return std::nullopt;
    }
    dir_->remove_leftovers();
    auto state = read_state(dir_->checkpoints(), [&](const std::string& message) { log_->warn(message); });
    if (!state) {
      return std::nullopt;
    }
    SavedState saved{*state, train_progress(*state), saved_run(*state)};
    check_same_settings(saved.run.config);
    if (const auto difference = first_difference(saved.run.data, data_)) {
      throw DataError(config_.data.root.value_or("") + ": the images are not those the run was trained on: " +
                      *difference + "; restore them or start a new run");
    }
    check_not_shorter(saved.progress);
    if (saved.run.cpu_level != to_string(cpu_level())) {
      log_->warn("the run used " + saved.run.cpu_level + " instructions until now and goes on with " +
                 to_string(cpu_level()) +
                 ": sums round in another order, so it will not end with the bits it would have had");
    }
    last_good_ = "the last good checkpoint is " + (dir_->checkpoints() / "state.safetensors").string();
    return saved;
  }

  /// What was trained already cannot be taken back.
  void check_not_shorter(const TrainProgress& saved) const {
    const std::int64_t begun = saved.epoch + (saved.batch > 0 ? 1 : 0);
    if (config_.train.epochs < begun) {
      throw ConfigError(dir_->path().string() + ": train.epochs: is " + std::to_string(config_.train.epochs) +
                        ", but the run has begun epoch " + std::to_string(begun) +
                        "; it may grow, not shrink below that");
    }
    // killed after its weights became the best and before its state was saved: they are trained again
    const std::int64_t best = stored_epoch(dir_->best()).value_or(0);
    if (config_.train.epochs < best) {
      throw ConfigError(dir_->path().string() + ": train.epochs: is " + std::to_string(config_.train.epochs) +
                        ", but best.safetensors holds the weights of epoch " + std::to_string(best) +
                        ", which took the place of earlier ones; ask for at least so many epochs");
    }
  }

  void begin(const std::optional<SavedState>& saved) {
    ExperimentConfig stored = config_;
    stored.precision = asked_precision_;  // "auto" means another precision to eval than to train
    // what cannot be put into words stops a run before anything of an earlier one is removed
    const std::string config = to_json(stored).dump(2) + "\n";
    auto papers = describe_environment(config_);
    papers["training_images"] = fingerprint(listing_.train);
    const std::string environment = papers.dump(2) + "\n";
    const bool had_log = dir_ && !replacing_;
    if (!dir_) {
      make_directory();
    } else if (std::exchange(replacing_, false)) {
      dir_->clear();
    }
    if (!had_log) {
      log_->add_file(dir_->log());
    }
    MetricsLog::Position keep;
    if (saved) {
      keep = saved->run.metrics;
      seconds_before_ = saved->run.seconds;
      last_row_ = saved->run.last_row;
      best_row_ = saved->run.best_row;
      bad_images_ = saved->run.bad_images;
    }
    // a longer training is no longer finished
    std::filesystem::remove(dir_->result());
    std::filesystem::remove(dir_->last());
    dir_->remove_evaluations();
    write_file(dir_->environment(), environment);  // first: it makes the directory a run's
    write_file(dir_->config(), config);
    metrics_.emplace(dir_->metrics_jsonl(), dir_->metrics_csv(), config_.train.eval_train, keep,
                     [&](const std::string& message) { log_->warn(message); });
    const auto count = [](std::size_t n) { return with_commas(static_cast<std::int64_t>(n)); };
    log_->info(dir_->path().string() + ": " + std::string(saved ? "going on with" : "starting") + " \"" + config_.name +
               "\" on " + config_.device + ", " + std::to_string(*config_.threads) + " threads, " +
               std::string(name_of(config_.precision)) + "; " + std::to_string(listing_.classes.size()) + " classes, " +
               count(listing_.train.size()) + " training, " + count(listing_.val.size()) + " validation, " +
               count(listing_.test.size()) + " test images" +
               (listing_.greyscale_left_out > 0
                    ? "; " + with_commas(listing_.greyscale_left_out) + " grey ones are left out (data.skip_greyscale)"
                    : ""));
    if (!initial_weights_.empty()) {
      log_->info(initial_weights_);
    }
    tell_of_bf16();
    if (config_.train.freeze != "none") {
      const auto& until = config_.train.unfreeze_at_epoch;
      log_->info("train.freeze: \"" + config_.train.freeze + "\" does not learn" +
                 (until ? " before epoch " + std::to_string(*until) : ""));
    }
  }

  /// Goes on with the event file if it is as the state knew it, else makes it anew from metrics.jsonl.
  void open_tensorboard(const std::optional<SavedState>& saved) {
    const auto keep = saved ? saved->run.events.value_or(EventFile::Position{}) : EventFile::Position{};
    tensorboard_.emplace(dir_->events(), keep);
    if (!tensorboard_->is_new()) {
      if (to_json(saved->run.config) != to_json(config_)) {
        tensorboard_->add_config(saved->progress.epoch, to_json(config_));
      }
      return;
    }
    if (keep.bytes > 0) {
      log_->warn(dir_->events().string() +
                 ": is not what was there when the state was saved; it is made anew from metrics.jsonl, without "
                 "histograms of earlier epochs");
    }
    tensorboard_->add_config(0, to_json(config_));
    tensorboard_->add_images(*train_.dataset, listing_.classes, config_.tensorboard.training_images, config_.seed);
    tensorboard_->add_epochs(read_metrics(dir_->metrics_jsonl()));
  }

  /// False if a stop was requested before training began.
  bool open_data() {
    const auto open = [&](const FileList& files, const char* name, Transform::Mode mode) {
      return open_split(config_, listing_, files, name, mode, *log_, events_.on_cache);
    };
    train_ = open(listing_.train, "train", Transform::Mode::train);
    val_ = open(listing_.val, "val", Transform::Mode::eval);
    if (config_.train.eval_train) {
      train_eval_ = open(listing_.train, "train", Transform::Mode::eval);
    }
    started_ = last_save_ = Clock::now();
    return !stop_requested();
  }

  TrainerHooks hooks() {
    TrainerHooks hooks;
    hooks.on_step = events_.on_step;
    hooks.on_validation = events_.on_validation;
    hooks.on_warning = [this](const std::string& text) { log_->warn(text); };
    hooks.checkpoint_if_due = [this] {
      const auto& when = config_.checkpoint;
      const bool steps_due = when.every_steps && trainer_->steps_done() % *when.every_steps == 0;
      const double minutes = std::chrono::duration<double>(Clock::now() - last_save_).count() / 60.0;
      if (steps_due || minutes >= when.every_minutes) {
        save();
      }
    };
    hooks.on_epoch = [this](const EpochRow& row, bool improved) { end_epoch(row, improved); };
    return hooks;
  }

  /// On a CPU, what the choice of arithmetic costs there.
  void tell_of_bf16() const {
    const bool multiplies = cpu_level() == CpuLevel::avx512_bf16;
    if (config_.device == "cpu" && asked_precision_ == Precision::automatic && multiplies) {
      log_->info(
          "this processor multiplies bfloat16: with precision \"bf16\" an epoch takes about half to two thirds of "
          "the time");
    }
    if (config_.device == "cpu" && config_.precision == Precision::bf16 && !multiplies) {
      log_->warn("precision: AVX512_BF16 is not in use here, so that \"bf16\" takes longer than \"fp32\"");
    }
  }

  void end_epoch(const EpochRow& row, bool improved) {
    last_row_ = to_json(row, config_.train.eval_train);
    metrics_->append(row);
    if (tensorboard_) {
      tensorboard_->add_epoch(last_row_);
      const auto& every = config_.tensorboard.histograms_every_epochs;
      if (every && row.epoch % *every == 0) {
        trainer_->with_evaluation_weights(
            [&](EfficientNetImpl& weights) { tensorboard_->add_weights(row.epoch, weights_of(weights)); });
      }
    }
    if (improved) {
      trainer_->check_weights_finite();
      best_row_ = last_row_;
      trainer_->with_evaluation_weights(
          [&](EfficientNetImpl& weights) { save_weights(dir_->best(), weights, listing_.classes, row.epoch); });
    }
    if (row.epoch % config_.checkpoint.every_epochs == 0 || trainer_->finished()) {
      save();
    }
    if (events_.on_epoch_end) {
      events_.on_epoch_end(dir_->path());
    }
    log_->info(describe(row, config_.train.epochs) + (improved ? " *" : ""));
  }

  void save() {
    trainer_->check_weights_finite();
    TrainState state = trainer_->state();
    const auto position = metrics_->sync();
    collect_bad_images();
    SavedRun run{.config = config_,
                 .data = data_,
                 .cpu_level = to_string(cpu_level()),
                 .metrics = position,
                 .seconds = seconds(),
                 .last_row = last_row_,
                 .best_row = best_row_,
                 .bad_images = bad_images_,
                 .events = std::nullopt};
    if (tensorboard_) {
      run.events = tensorboard_->sync();
    }
    state.values["run"] = to_json(run);
    write_state(dir_->checkpoints(), state);
    last_save_ = Clock::now();
    last_good_ = "the last good checkpoint is " + (dir_->checkpoints() / "state.safetensors").string() + " (step " +
                 std::to_string(trainer_->steps_done()) + ")";
  }

  void collect_bad_images() {
    for (const auto* split : {&train_, &val_, &train_eval_}) {
      if (split->dataset) {
        collect_bad_images(*split);
      }
    }
  }

  void collect_bad_images(const SplitData& split) {
    for (const auto& name : split.dataset->bad_images()) {
      if (bad_images_.insert(name).second) {
        log_->warn("left out, cannot be decoded: " + name);
      }
    }
  }

  double seconds() const { return seconds_before_ + std::chrono::duration<double>(Clock::now() - started_).count(); }

  TrainingOutcome interrupted() {
    TrainingOutcome outcome;
    outcome.run_dir = dir_->path();
    outcome.reason = StopReason::interrupted;
    outcome.summary = replacing_ ? "interrupted before the earlier run was replaced"
                                 : "interrupted; go on with: effnetv2 resume " + dir_->path().string();
    log_->info(outcome.summary);
    return outcome;
  }

  /// The result says that best.safetensors is of the best epoch.
  void check_best_weights(StopReason reason) const {
    if (best_row_.is_null()) {
      return;
    }
    const std::string help =
        std::string("; put them back if there is a copy, ") +
        (reason == StopReason::epochs ? "or go on with resume --set train.epochs=MORE until there are better ones, "
                                      : "") +
        "or start anew with train --overwrite";
    if (!std::filesystem::exists(dir_->best())) {
      throw CheckpointError(dir_->best().string() + ": is gone, and a run ends with a measure of these weights" + help);
    }
    const std::int64_t wanted = best_row_.at("epoch").get<std::int64_t>();
    if (const std::int64_t found = stored_epoch(dir_->best()).value_or(wanted); found != wanted) {
      throw CheckpointError(dir_->best().string() + ": holds the weights of epoch " + std::to_string(found) +
                            ", but the best epoch is " + std::to_string(wanted) + help);
    }
  }

  TrainingOutcome finish(StopReason reason) {
    check_best_weights(reason);
    trainer_->with_evaluation_weights([&](EfficientNetImpl& weights) {
      save_weights(dir_->last(), weights, listing_.classes, trainer_->epochs_done());
    });
    nlohmann::ordered_json result{{"stopped_by", name_of(reason)}, {"best", best_of(best_row_)}, {"final", last_row_}};
    if (config_.data.split.choose_on == ChooseOn::test) {
      result["choose_on"] = "test";
    }
    if (const auto test = evaluate_best()) {
      result["test"] = *test;
    }
    if (stop_requested()) {
      return interrupted();  // the state is saved: resume measures again
    }
    collect_bad_images();
    result["epochs"] = trainer_->epochs_done();
    result["seconds"] = seconds();
    result["bad_images"] = bad_images_.size();
    write_file(dir_->result(), result.dump(2) + "\n");
    if (!config_.checkpoint.keep_state_when_done) {
      dir_->remove_state();
    }
    TrainingOutcome outcome;
    outcome.run_dir = dir_->path();
    outcome.reason = reason;
    outcome.summary = describe_result(result);
    return outcome;
  }

  /// Leaves in eval/ what `effnetv2 eval` would say of the best weights. The test images are read here, once, and give
  /// the result's "test".
  std::optional<nlohmann::ordered_json> evaluate_best() {
    if (listing_.val.empty() && listing_.test.empty()) {
      return std::nullopt;
    }
    ExperimentConfig config = config_;
    config.precision = asked_precision_;
    config.precision = resolved_precision(config, Use::inference);
    apply_runtime(config);
    auto network = build_network(config);
    load_weights(*network, dir_->best());
    prepare_for_inference(*network);
    if (val_.loader) {
      const char* name = config_.data.split.choose_on == ChooseOn::test ? "test" : "val";
      evaluate_split(*network, config, name, listing_.val, val_);
    }
    if (listing_.test.empty() || stop_requested()) {
      return std::nullopt;
    }
    const SplitData test =
        open_split(config_, listing_, listing_.test, "test", Transform::Mode::eval, *log_, events_.on_cache);
    const Metrics metrics = evaluate_split(*network, config, "test", listing_.test, test);
    collect_bad_images(test);
    return nlohmann::ordered_json{
        {"samples", metrics.samples}, {"loss", metrics.loss}, {"top1", metrics.top1}, {"top5", metrics.top5}};
  }

  /// Writes nothing if a stop was requested meanwhile.
  Metrics evaluate_split(EfficientNetImpl& network, const ExperimentConfig& config, const std::string& name,
                         const FileList& files, const SplitData& data) {
    const EvaluationFiles output(dir_->evaluations() / name);
    const InputStage input(config.data, network.parameters().front().device());
    const EvaluationOptions options{
        .bf16 = config.precision == Precision::bf16, .stoppable = true, .predictions = true};
    const Evaluation evaluation = evaluate(network, *data.loader, input, options, events_.on_validation);
    if (stop_requested()) {
      return evaluation.metrics;
    }
    if (evaluation.metrics.samples == 0) {
      throw DataError("none of the " + name + " images could be decoded; the run can be resumed when they are mended");
    }
    output.write(evaluation_document({name, listing_, files, *data.dataset}, evaluation, dir_->best(), output.folder()),
                 listing_, files, evaluation.predictions);
    return evaluation.metrics;
  }

  const TrainingRequest& request_;
  const TrainingEvents& events_;
  std::shared_ptr<Log> log_;
  ExperimentConfig config_;
  Precision asked_precision_ = Precision::automatic;
  std::optional<RunDirectory> dir_;
  bool replacing_ = false;  ///< the directory's earlier run goes when this one begins
  Listing listing_;
  nlohmann::json data_;          ///< its fingerprint
  std::string initial_weights_;  ///< what was loaded, in words
  SplitData train_, val_, train_eval_;
  std::optional<MetricsLog> metrics_;
  std::optional<TensorboardLog> tensorboard_;
  Trainer* trainer_ = nullptr;
  nlohmann::ordered_json last_row_, best_row_;
  std::set<std::string> bad_images_;
  std::string last_good_ = "no checkpoint was made yet";
  double seconds_before_ = 0.0;
  Clock::time_point started_ = Clock::now(), last_save_ = started_;
};

}  // namespace

TrainingOutcome run_training(const TrainingRequest& request, const TrainingEvents& events,
                             const std::shared_ptr<Log>& log) {
  return TrainingRun(request, events, log).run();
}

TrainingRequest resume_request(const std::filesystem::path& run_dir, const std::vector<std::string>& sets) {
  return {RunDirectory::stored_config(run_dir, sets), run_dir, StartMode::resume_or_create};
}

}  // namespace effnetv2
