#include "effnetv2/data/class_names.h"

#include <algorithm>
#include <set>

#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/core/text.h"

namespace effnetv2 {
namespace {

constexpr const char* kBlank = " \t\r";
constexpr std::size_t kMostBytes = std::size_t{256} << 20;

std::string read(const std::filesystem::path& path) {
  try {
    std::string text = read_file(path, kMostBytes);
    if (text.starts_with("\xEF\xBB\xBF")) {
      text.erase(0, 3);
    }
    return text;
  } catch (const EnvironmentError& e) {
    throw DataError(std::string("data.class_names: ") + e.what());
  }
}

}  // namespace

std::vector<ClassName> read_class_names(const std::filesystem::path& path) {
  const std::string text = read(path);
  std::vector<ClassName> names;
  std::set<std::string> ids;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    const auto first = line.find_first_not_of(kBlank);
    if (first == std::string::npos) {
      continue;
    }
    const auto last = line.find_last_not_of(kBlank) + 1;
    const auto space = std::min(line.find_first_of(kBlank, first), last);
    const std::string id = line.substr(first, space - first);
    const auto title = space == last ? first : line.find_first_not_of(kBlank, space);
    names.push_back({id, line.substr(title, last - title)});
    if (!ids.insert(id).second) {
      throw DataError("data.class_names: " + path.string() + " names " + printable(id) +
                      " twice; a line is a class folder's name, a space and the title, as in \"n01440764 tench\"");
    }
  }
  return names;
}

}  // namespace effnetv2
