#include "report_writer.h"

#include <fstream>
#include <string_view>

#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/data/thumbnail.h"
#include "effnetv2/report/page.h"

namespace effnetv2::cli {
namespace {

constexpr std::int64_t kThumbnailSide = 160;

/// A slip of the hand must not cost weights.
void check_may_be_replaced(const std::filesystem::path& output) {
  if (!std::filesystem::is_regular_file(output)) {
    return;
  }
  constexpr std::string_view kStart = "<!doctype html>";
  std::string start(kStart.size(), '\0');
  std::ifstream(output, std::ios::binary).read(start.data(), static_cast<std::streamsize>(start.size()));
  if (start != kStart && std::filesystem::file_size(output) > 0) {
    throw ConfigError(output.string() + ": is there already and is no HTML page; choose another place with -o");
  }
}

}  // namespace

void write_report(const std::vector<std::filesystem::path>& runs, const std::filesystem::path& output, Log& log) {
  check_may_be_replaced(output);
  std::vector<RunRecord> records;
  records.reserve(runs.size());
  for (std::size_t i = 0; i < runs.size(); ++i) {
    try {
      records.push_back(read_run(runs[i]));
    } catch (const Error& e) {
      if (records.empty() && i + 1 == runs.size()) {
        throw;
      }
      log.warn(std::string("left out: ") + e.what());
    }
  }
  write_file(output, make_page(records, [](const auto& path) { return make_thumbnail(path, kThumbnailSide); }));
}

}  // namespace effnetv2::cli
