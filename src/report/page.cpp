#include "effnetv2/report/page.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>

#include "effnetv2/core/version.h"
#include "effnetv2/report/comparison.h"

#include "assets.h"

namespace effnetv2 {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kMistakes = 24;

std::string base64(const std::string& bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = (group << 8) | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += i + k > bytes.size() ? '=' : kDigits[(group >> (18 - 6 * k)) & 63u];
    }
  }
  return text;
}

std::size_t column_of(const std::vector<std::string>& header, const char* name) {
  return static_cast<std::size_t>(std::find(header.begin(), header.end(), name) - header.begin());
}

/// The wrong answers that the network was surest of.
ordered_json mistakes_of(const EvaluationRecord& evaluation, const Thumbnail& thumbnail) {
  ordered_json mistakes = ordered_json::array();
  if (evaluation.predictions.empty()) {
    return mistakes;
  }
  const auto& header = evaluation.predictions.front();
  const std::size_t path = column_of(header, "path"), own = column_of(header, "class"),
                    answer = column_of(header, "predicted"), correct = column_of(header, "correct"),
                    probability = column_of(header, "probability");
  std::vector<const std::vector<std::string>*> wrong;
  for (std::size_t i = 1; i < evaluation.predictions.size(); ++i) {
    const auto& row = evaluation.predictions[i];
    if (row.size() == header.size() && correct < row.size() && probability < row.size() && row[correct] == "0") {
      wrong.push_back(&row);
    }
  }
  std::stable_sort(wrong.begin(), wrong.end(), [&](const auto* a, const auto* b) {
    return std::strtod((*a)[probability].c_str(), nullptr) > std::strtod((*b)[probability].c_str(), nullptr);
  });
  wrong.resize(std::min(wrong.size(), kMistakes));
  const std::filesystem::path root(evaluation.document.value("data", ""));
  for (const auto* row : wrong) {
    const auto picture = thumbnail ? thumbnail(root / (*row)[path]) : std::nullopt;
    mistakes.push_back({{"path", (*row)[path]},
                        {"class", (*row)[own]},
                        {"predicted", (*row)[answer]},
                        {"probability", std::strtod((*row)[probability].c_str(), nullptr)},
                        {"picture", picture ? "data:image/jpeg;base64," + base64(*picture) : ""}});
  }
  return mistakes;
}

ordered_json details_of(const RunRecord& run, const Thumbnail& thumbnail) {
  ordered_json evaluations = ordered_json::array();
  for (const auto& evaluation : run.evaluations) {
    evaluations.push_back({{"name", evaluation.name},
                           {"document", evaluation.document},
                           {"confusion", evaluation.confusion},
                           {"mistakes", mistakes_of(evaluation, thumbnail)}});
  }
  return {{"config", run.config}, {"environment", run.environment}, {"evaluations", evaluations}};
}

ordered_json groups_of(const std::vector<RunRecord>& runs, const std::vector<ordered_json>& figures) {
  ordered_json groups = ordered_json::array();
  for (const auto& group : group_runs(runs)) {
    // a run under way says little of where it will end
    std::vector<std::size_t> counted;
    std::copy_if(group.runs.begin(), group.runs.end(), std::back_inserter(counted),
                 [&](std::size_t run) { return figures[run]["state"] == "done"; });
    if (counted.empty()) {
      counted = group.runs;
    }
    ordered_json one{
        {"label", group.label}, {"settings", group.settings}, {"runs", group.runs}, {"counted", counted.size()}};
    for (const char* key : {"best_top1", "final_top1", "final_train_top1", "test_top1", "epochs", "seconds",
                            "images_per_second", "parameters", "macs"}) {
      std::vector<ordered_json> values;
      for (const std::size_t run : counted) {
        values.push_back(figures[run][key]);
      }
      one[key] = spread_of(values);
    }
    groups.push_back(std::move(one));
  }
  return groups;
}

/// The folder's name, with that of the folder around it where another run has the same.
std::string unique_name(const RunRecord& run, const std::vector<RunRecord>& runs) {
  const auto same =
      std::count_if(runs.begin(), runs.end(), [&](const RunRecord& other) { return other.name == run.name; });
  return same < 2 ? run.name : run.path.parent_path().filename().string() + "/" + run.name;
}

/// "<" stands in strings alone, and escaped it can neither end the script element ("</script>") nor keep its end from
/// being seen ("<!--<script>").
std::string for_script(const ordered_json& document) {
  std::string text;
  for (const char c : document.dump(-1, ' ', false, ordered_json::error_handler_t::replace)) {
    if (c == '<') {
      text += "\\u003c";
    } else {
      text += c;
    }
  }
  return text;
}

void fill(std::string& page, const std::string& place, std::string_view text) {
  const auto at = page.find(place);
  if (at != std::string::npos) {
    page.replace(at, place.size(), text);
  }
}

}  // namespace

std::string make_page(const std::vector<RunRecord>& runs, const Thumbnail& thumbnail) {
  std::vector<ordered_json> figures;
  ordered_json listed = ordered_json::array();
  for (const auto& run : runs) {
    figures.push_back(figures_of(run));
    ordered_json one = figures.back();
    one["name"] = unique_name(run, runs);
    one["metrics"] = run.metrics;
    listed.push_back(std::move(one));
  }
  ordered_json data{{"version", version()}, {"runs", listed}, {"groups", groups_of(runs, figures)}};
  if (runs.size() == 1) {
    data["details"] = details_of(runs.front(), thumbnail);
  }
  std::string page(assets::kHtml);
  fill(page, "/*CSS*/", assets::kCss);
  fill(page, "/*CHART*/", assets::kChartJs);
  fill(page, "/*JS*/", assets::kJs);
  fill(page, "/*DATA*/", for_script(data));
  return page;
}

}  // namespace effnetv2
