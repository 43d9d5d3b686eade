#include "effnetv2/run/evaluation_files.h"

#include <map>
#include <set>
#include <string>

#include "effnetv2/core/file.h"
#include "effnetv2/core/text.h"

namespace effnetv2 {
namespace {

/// The class of an output, by its folder and, where it has one, its title; or the output's number where no class has
/// it.
std::string class_name(const Listing& listing, std::int64_t output) {
  const auto at = static_cast<std::size_t>(output);
  if (at >= listing.classes.size()) {
    return "output " + std::to_string(output);
  }
  const bool titled = listing.class_titles[at] != listing.classes[at];
  return csv_field(printable(listing.classes[at] + (titled ? " " + listing.class_titles[at] : "")));
}

std::string predictions_csv(const Listing& listing, const FileList& files, const std::vector<Prediction>& predictions) {
  std::string text = "path,class,predicted,correct,rank,probability,class_probability\n";
  for (const auto& one : predictions) {
    text += csv_field(printable(files.path(static_cast<std::size_t>(one.index)))) + "," +
            class_name(listing, one.label) + "," + class_name(listing, one.predicted) + "," +
            (one.rank == 0 ? "1," : "0,") + std::to_string(one.rank + 1) + "," + fixed(one.probability, 6) + "," +
            fixed(one.label_probability, 6) + "\n";
  }
  return text;
}

std::string confusion_csv(const Listing& listing, const FileList& files, const std::vector<Prediction>& predictions) {
  std::set<std::int64_t> rows, columns;
  for (std::size_t i = 0; i < files.size(); ++i) {
    rows.insert(files.label(i));
    columns.insert(files.label(i));
  }
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> counts;
  for (const auto& one : predictions) {
    columns.insert(one.predicted);
    ++counts[{one.label, one.predicted}];
  }
  auto next = counts.cbegin();  // in the order of the cells
  std::string text = "class";
  for (const auto column : columns) {
    text += ',';
    text += class_name(listing, column);
  }
  for (const auto row : rows) {
    text += '\n';
    text += class_name(listing, row);
    for (const auto column : columns) {
      const bool counted = next != counts.end() && next->first == std::pair(row, column);
      text += ',';
      text += std::to_string(counted ? next++->second : 0);
    }
  }
  text += '\n';
  return text;
}

}  // namespace

EvaluationFiles::EvaluationFiles(const std::filesystem::path& folder) : paths_(folder) {
  make_directories(folder);
}

void EvaluationFiles::write(const nlohmann::ordered_json& document, const Listing& listing, const FileList& files,
                            const std::vector<Prediction>& predictions) const {
  const std::string text = document.dump(2) + "\n";
  write_file(paths_.predictions(), predictions_csv(listing, files, predictions));
  write_file(paths_.confusion(), confusion_csv(listing, files, predictions));
  write_file(paths_.document(), text);
}

}  // namespace effnetv2
