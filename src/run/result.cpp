#include "effnetv2/run/result.h"

#include <cstdint>

#include "effnetv2/core/text.h"

namespace effnetv2 {

nlohmann::ordered_json best_of(const nlohmann::ordered_json& row) {
  if (row.is_null()) {
    return nullptr;
  }
  return {{"epoch", row.at("epoch")}, {"val_top1", row.at("val_top1")}, {"val_loss", row.at("val_loss")}};
}

std::string describe_result(const nlohmann::ordered_json& result) {
  const auto& best = result.at("best");
  std::string text;
  if (best.is_object() && best.at("val_top1").is_number()) {
    const bool flattered = result.value("choose_on", "") == "test";
    text = (flattered ? "best top-1 on the test images, which chose it, " : "best validation top-1 ") +
           fixed(best.at("val_top1").get<double>(), 4) + " at epoch " +
           std::to_string(best.at("epoch").get<std::int64_t>()) + " of ";
  }
  text += std::to_string(result.at("epochs").get<std::int64_t>()) + " epochs";
  if (result.at("stopped_by") == "early_stopping") {
    text += " (early stopping)";
  }
  if (result.contains("test")) {
    text += ", test top-1 " + fixed(result.at("test").at("top1").get<double>(), 4);
  }
  return text + ", " + human_duration(result.at("seconds").get<double>());
}

}  // namespace effnetv2
