#pragma once

#include <array>
#include <filesystem>
#include <utility>

namespace effnetv2 {

/// Where an evaluation keeps what. Only names, as of RunPaths.
class EvaluationPaths {
 public:
  explicit EvaluationPaths(std::filesystem::path folder) : folder_(std::move(folder)) {}

  const std::filesystem::path& folder() const noexcept { return folder_; }
  std::filesystem::path document() const { return folder_ / "eval.json"; }
  std::filesystem::path confusion() const { return folder_ / "confusion.csv"; }
  std::filesystem::path predictions() const { return folder_ / "predictions.csv"; }
  std::array<std::filesystem::path, 3> all() const { return {document(), confusion(), predictions()}; }

 private:
  std::filesystem::path folder_;
};

/// Where a run keeps what. Only names: nothing is read, made or locked.
class RunPaths {
 public:
  explicit RunPaths(std::filesystem::path root) : root_(std::move(root)) {}

  const std::filesystem::path& path() const noexcept { return root_; }
  std::filesystem::path lock() const { return root_ / ".lock"; }
  std::filesystem::path config() const { return root_ / "config.json"; }
  /// Written first and removed last: a folder that has it is a run's.
  std::filesystem::path environment() const { return root_ / "env.json"; }
  std::filesystem::path log() const { return root_ / "log.txt"; }
  std::filesystem::path metrics_jsonl() const { return root_ / "metrics.jsonl"; }
  std::filesystem::path metrics_csv() const { return root_ / "metrics.csv"; }
  /// One fixed name: TensorBoard asks for "tfevents" in it, and sorts by the rest.
  std::filesystem::path events() const { return root_ / "events.out.tfevents.effnetv2"; }
  std::filesystem::path result() const { return root_ / "result.json"; }
  std::filesystem::path report() const { return root_ / "report.html"; }
  std::filesystem::path evaluations() const { return root_ / "eval"; }
  std::filesystem::path checkpoints() const { return root_ / "checkpoints"; }
  std::filesystem::path best() const { return checkpoints() / "best.safetensors"; }
  std::filesystem::path last() const { return checkpoints() / "last.safetensors"; }

 private:
  std::filesystem::path root_;
};

}  // namespace effnetv2
