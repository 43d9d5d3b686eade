#include "effnetv2/data/synth.h"

#include <cstdio>
#include <optional>
#include <string_view>

#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/data/png.h"

namespace effnetv2 {
namespace {

constexpr std::string_view kMarker = ".effnetv2-synth";
constexpr std::string_view kComplete = "complete\n";

void check_range(const char* name, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value < low || value > high) {
    throw ConfigError(std::string(name) + ": must be between " + std::to_string(low) + " and " + std::to_string(high) +
                      ", got " + std::to_string(value));
  }
}

/// What the marker says of a set of these options; changes whenever the drawing does.
std::string describe(const SynthOptions& options) {
  return "drawing 1, images per class " + std::to_string(options.images_per_class) + ", size " +
         std::to_string(options.size) + ", seed " + std::to_string(options.seed) + "\n";
}

std::filesystem::path file_of(const std::filesystem::path& directory, std::size_t label, std::int64_t index) {
  char name[32];
  std::snprintf(name, sizeof name, "%04lld.png", static_cast<long long>(index));
  return directory / synthetic_classes()[label] / name;
}

bool all_there(const std::filesystem::path& directory, const SynthOptions& options) {
  for (std::size_t label = 0; label < synthetic_classes().size(); ++label) {
    for (std::int64_t index = 0; index < options.images_per_class; ++index) {
      std::error_code code;
      const auto bytes = std::filesystem::file_size(file_of(directory, label, index), code);
      if (code || bytes == 0) {
        return false;
      }
    }
  }
  return true;
}

/// The marker's text if `directory` holds a set of ours; throws DataError if it holds anything else one can see.
std::optional<std::string> read_marker(const std::filesystem::path& directory) {
  if (!std::filesystem::exists(directory)) {
    return std::nullopt;
  }
  if (!std::filesystem::is_directory(directory)) {
    throw DataError(directory.string() + ": is a file; name a folder for the data set");
  }
  if (std::filesystem::exists(directory / kMarker)) {
    return read_file(directory / kMarker);
  }
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with('.')) {
      throw DataError(directory.string() + ": holds something else (" + name + "); name a new or empty folder");
    }
  }
  return std::nullopt;
}

}  // namespace

void write_synthetic_dataset(const std::filesystem::path& directory, const SynthOptions& options,
                             const ProgressFn& progress) {
  check_range("images per class", options.images_per_class, 1, 100000);
  check_range("size", options.size, 16, 1024);
  const std::string description = describe(options);
  if (const auto marker = read_marker(directory)) {
    if (!marker->starts_with(description)) {
      throw DataError(directory.string() + ": holds a synthetic data set of other options (" +
                      marker->substr(0, marker->find('\n')) + "); name another folder or remove it");
    }
    if (marker->ends_with(kComplete) && all_there(directory, options)) {
      return;
    }
  }

  make_directories(directory);
  write_file(directory / kMarker, description);
  const auto classes = static_cast<std::int64_t>(synthetic_classes().size());
  const std::int64_t total = classes * options.images_per_class;
  for (const auto& name : synthetic_classes()) {
    make_directories(directory / name);
  }
  for (std::int64_t done = 0; done < total; ++done) {
    if (stop_requested()) {
      return;
    }
    const std::int64_t label = done / options.images_per_class;
    const std::int64_t index = done % options.images_per_class;
    // renamed into place: another process may be reading the set, or drawing the same
    AtomicFile file(file_of(directory, static_cast<std::size_t>(label), index));
    file.write(encode_png(draw_synthetic(label, index, options)));
    file.commit(/*sync=*/false);
    if (progress) {
      progress(done + 1, total);
    }
  }
  write_file(directory / kMarker, description + std::string(kComplete));
}

}  // namespace effnetv2
