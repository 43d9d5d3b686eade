#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace effnetv2 {

/// "best" of result.json from a row of metrics.jsonl: epoch, val_top1, val_loss. null from null.
nlohmann::ordered_json best_of(const nlohmann::ordered_json& row);

/// result.json in one line: "best validation top-1 0.3650 at epoch 90 of 200 epochs (early stopping), 12m 40s".
/// Throws nlohmann::json::exception for a document that is none.
std::string describe_result(const nlohmann::ordered_json& result);

}  // namespace effnetv2
