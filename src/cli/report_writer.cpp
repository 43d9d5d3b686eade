#include "report_writer.h"

#include "effnetv2/core/file.h"
#include "effnetv2/data/thumbnail.h"
#include "effnetv2/report/page.h"

namespace effnetv2::cli {
namespace {

constexpr std::int64_t kThumbnailSide = 160;

}  // namespace

void write_report(const std::vector<std::filesystem::path>& runs, const std::filesystem::path& output) {
  std::vector<RunRecord> records;
  records.reserve(runs.size());
  for (const auto& path : runs) {
    records.push_back(read_run(path));
  }
  write_file(output, make_page(records, [](const auto& path) { return make_thumbnail(path, kThumbnailSide); }));
}

}  // namespace effnetv2::cli
