#include "effnetv2/weights/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <set>
#include <unordered_map>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/core/text.h"

#include "defect.h"

namespace effnetv2 {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian and read as it lies");

constexpr const char* kMetadataKey = "__metadata__";
constexpr std::uint64_t kMaxHeader = 100'000'000;
constexpr std::size_t kMaxDepth = 4;  // document, tensor, shape; one to spare
constexpr std::size_t kMaxRank = 64;

struct DtypeName {
  std::string_view name;
  at::ScalarType type;
};
constexpr std::array kDtypes{DtypeName{"F64", at::kDouble}, DtypeName{"F32", at::kFloat},
                             DtypeName{"F16", at::kHalf},   DtypeName{"BF16", at::kBFloat16},
                             DtypeName{"I64", at::kLong},   DtypeName{"I32", at::kInt},
                             DtypeName{"I16", at::kShort},  DtypeName{"I8", at::kChar},
                             DtypeName{"U8", at::kByte},    DtypeName{"BOOL", at::kBool}};

struct Entry {
  std::string name;
  at::ScalarType dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin, end;  ///< in the data part
};

at::ScalarType dtype_of(const std::string& tensor, const nlohmann::json& info) {
  const auto it = info.find("dtype");
  if (it == info.end() || !it->is_string()) {
    throw Defect{"tensor " + in_quotes(tensor) + " has no dtype"};
  }
  const auto& name = it->get_ref<const std::string&>();
  for (const auto& known : kDtypes) {
    if (known.name == name) {
      return known.type;
    }
  }
  throw Defect{"tensor " + in_quotes(tensor) + " has the unknown dtype " + in_quotes(name)};
}

std::vector<std::uint64_t> whole_numbers(const std::string& tensor, const nlohmann::json& info, const char* key) {
  const auto it = info.find(key);
  if (it == info.end() || !it->is_array()) {
    throw Defect{"tensor " + in_quotes(tensor) + " has no list " + key};
  }
  std::vector<std::uint64_t> numbers;
  for (const auto& item : *it) {
    if (!item.is_number_unsigned() || item.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()) {
      throw Defect{"tensor " + in_quotes(tensor) + ": " + key + " must hold whole numbers from 0 to 2^63 - 1, has " +
                   item.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).substr(0, 40)};
    }
    numbers.push_back(item.get<std::uint64_t>());
  }
  return numbers;
}

Entry entry_of(const std::string& name, const nlohmann::json& info) {
  if (!info.is_object()) {
    throw Defect{"tensor " + in_quotes(name) + " is not described by an object"};
  }
  Entry entry{name, dtype_of(name, info), {}, 0, 0};
  const auto shape = whole_numbers(name, info, "shape");
  if (shape.size() > kMaxRank) {
    throw Defect{"tensor " + in_quotes(name) + " has " + std::to_string(shape.size()) + " dimensions, at most " +
                 std::to_string(kMaxRank) + " are read"};
  }
  // strides are products of max(size, 1), so an empty tensor must not overflow them either
  std::uint64_t bytes = c10::elementSize(entry.dtype), capacity = bytes;
  for (const std::uint64_t size : shape) {
    if (size > 1 && capacity > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / size) {
      throw Defect{"tensor " + in_quotes(name) + " has a shape of more than 2^63 bytes"};
    }
    capacity *= std::max<std::uint64_t>(size, 1);
    bytes *= size;
    entry.shape.push_back(static_cast<std::int64_t>(size));
  }
  const auto offsets = whole_numbers(name, info, "data_offsets");
  if (offsets.size() != 2 || offsets[0] > offsets[1]) {
    throw Defect{"tensor " + in_quotes(name) + ": data_offsets must be [begin, end] with begin <= end"};
  }
  entry.begin = offsets[0];
  entry.end = offsets[1];
  if (entry.end - entry.begin != bytes) {
    throw Defect{"tensor " + in_quotes(name) + " has " + std::to_string(entry.end - entry.begin) +
                 " bytes of data, its dtype and shape need " + std::to_string(bytes)};
  }
  return entry;
}

/// Refuses what the JSON library would let pass or recurse into: repeated names and depth.
nlohmann::json parse_header(const char* text, std::size_t length) {
  if (length == 0 || text[0] != '{') {
    throw Defect{"its header does not begin with {"};
  }
  if (std::memchr(text, '\0', length) != nullptr) {
    throw Defect{"its header holds a zero byte"};
  }
  std::vector<std::set<std::string>> keys;
  std::size_t depth = 0;
  const auto check = [&](int, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    using Event = nlohmann::json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) {
      if (++depth > kMaxDepth) {
        throw Defect{"its header is nested more than " + std::to_string(kMaxDepth) + " deep"};
      }
      keys.emplace_back();
    } else if (event == Event::object_end || event == Event::array_end) {
      --depth;
      keys.pop_back();
    } else if (event == Event::key && !keys.back().insert(value.get_ref<const std::string&>()).second) {
      throw Defect{"its header names " + in_quotes(value.get<std::string>()) + " twice"};
    }
    return true;
  };
  try {
    return nlohmann::json::parse(text, text + length, check);
  } catch (const nlohmann::json::parse_error& e) {
    throw Defect{"its header is no valid JSON at byte " + std::to_string(e.byte)};
  } catch (const nlohmann::json::exception&) {
    throw Defect{"its header holds a number out of range"};
  }
}

Metadata metadata_of(const nlohmann::json& value) {
  Metadata metadata;
  if (!value.is_object()) {
    throw Defect{"its __metadata__ is no object"};
  }
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) {
      throw Defect{"its __metadata__ " + in_quotes(key) + " is no text"};
    }
    metadata[key] = text.get<std::string>();
  }
  return metadata;
}

/// In the order of their bytes, which must be all of `data_bytes`, each once.
std::vector<Entry> entries_of(const nlohmann::json& header, std::uint64_t data_bytes) {
  std::vector<Entry> entries;
  for (const auto& [name, info] : header.items()) {
    if (name != kMetadataKey) {
      entries.push_back(entry_of(name, info));
    }
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t next = 0;
  for (const auto& entry : entries) {
    if (entry.begin != next) {
      throw Defect{"tensor " + in_quotes(entry.name) + " begins at byte " + std::to_string(entry.begin) +
                   " of the data, expected " + std::to_string(next) +
                   (entry.begin > next ? " (a gap)" : " (an overlap)")};
    }
    next = entry.end;
  }
  if (next != data_bytes) {
    throw Defect{"it has " + std::to_string(data_bytes) + " bytes of data, its header describes " +
                 std::to_string(next) + (next > data_bytes ? "; it was cut off" : "")};
  }
  return entries;
}

std::string_view dtype_name(at::ScalarType type) {
  for (const auto& known : kDtypes) {
    if (known.type == type) {
      return known.name;
    }
  }
  return {};
}

std::string header_of(const std::filesystem::path& path, const NamedTensors& tensors, const Metadata& metadata) {
  std::set<std::string> names{kMetadataKey};
  std::string text = "{";
  const auto quote = [&](const std::string& value) {
    try {
      return nlohmann::json(value).dump();
    } catch (const nlohmann::json::exception&) {
      throw CheckpointError(path.string() + ": a name or value to save is no valid UTF-8");
    }
  };
  if (!metadata.empty()) {
    std::string items;
    for (const auto& [key, value] : metadata) {
      items += items.empty() ? "" : ",";
      items += quote(key) + ":" + quote(value);
    }
    text += quote(kMetadataKey) + ":{" + items + "}";
  }
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const auto dtype = dtype_name(tensor.scalar_type());
    if (dtype.empty()) {
      throw CheckpointError(path.string() + ": cannot save " + in_quotes(name) + ", a tensor of " +
                            c10::toString(tensor.scalar_type()));
    }
    if (!names.insert(name).second) {
      throw CheckpointError(path.string() + ": cannot save two tensors named " + in_quotes(name));
    }
    const std::uint64_t end = offset + static_cast<std::uint64_t>(tensor.numel()) * tensor.element_size();
    text += text.size() > 1 ? "," : "";
    text += quote(name) + R"(:{"dtype":")" + std::string(dtype) + R"(","shape":)" +
            nlohmann::json(tensor.sizes().vec()).dump() + R"(,"data_offsets":[)" + std::to_string(offset) + "," +
            std::to_string(end) + "]}";
    offset = end;
  }
  text += "}";
  text.append((8 - text.size() % 8) % 8, ' ');  // the data begins 8-byte aligned
  if (text.size() > kMaxHeader) {
    throw CheckpointError(path.string() + ": the names and metadata to save are larger than 100 MB");
  }
  return text;
}

}  // namespace

struct SafetensorsFile::Impl {
  FileBytes file;
  std::vector<Entry> entries;
  std::vector<std::string> names;
  std::unordered_map<std::string, std::size_t> index;
  Metadata metadata;
  const char* data = nullptr;

  explicit Impl(FileBytes file_) : file(std::move(file_)) {
    try {
      read_header();
    } catch (const Defect& defect) {
      throw CheckpointError(file.name() + ": is no whole safetensors file: " + defect.text);
    }
  }

  void read_header() {
    const std::string_view bytes = file.view();
    std::uint64_t length = 0;
    if (bytes.size() < sizeof length) {
      throw Defect{"it has only " + std::to_string(bytes.size()) + " bytes"};
    }
    std::memcpy(&length, bytes.data(), sizeof length);
    if (length > kMaxHeader) {
      throw Defect{"its header would have " + std::to_string(length) + " bytes, at most 100 MB are read"};
    }
    if (length > bytes.size() - sizeof length) {
      throw Defect{"its header has " + std::to_string(length) + " bytes, but only " +
                   std::to_string(bytes.size() - sizeof length) + " follow; it was cut off"};
    }
    data = bytes.data() + sizeof length + length;
    const nlohmann::json header = parse_header(bytes.data() + sizeof length, length);
    if (const auto it = header.find(kMetadataKey); it != header.end()) {
      metadata = metadata_of(*it);
    }
    entries = entries_of(header, bytes.size() - sizeof length - length);
    for (const auto& entry : entries) {
      index.emplace(entry.name, names.size());
      names.push_back(entry.name);
    }
  }
};

SafetensorsFile::SafetensorsFile(FileBytes file) : impl_(std::make_unique<Impl>(std::move(file))) {}
SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : SafetensorsFile(FileBytes(path)) {}
SafetensorsFile::~SafetensorsFile() = default;

const std::vector<std::string>& SafetensorsFile::names() const noexcept {
  return impl_->names;
}
bool SafetensorsFile::contains(const std::string& name) const {
  return impl_->index.contains(name);
}
const Metadata& SafetensorsFile::metadata() const noexcept {
  return impl_->metadata;
}

at::Tensor SafetensorsFile::tensor(const std::string& name) const {
  const auto found = impl_->index.find(name);
  if (found == impl_->index.end()) {
    throw CheckpointError(impl_->file.name() + ": has no tensor " + in_quotes(name));
  }
  const Entry& entry = impl_->entries[found->second];
  const char* bytes = impl_->data + entry.begin;
  const std::uint64_t size = entry.end - entry.begin;
  if (entry.dtype == at::kBool && std::any_of(bytes, bytes + size, [](char b) { return b != 0 && b != 1; })) {
    throw CheckpointError(impl_->file.name() + ": tensor " + in_quotes(name) +
                          " of BOOL holds bytes other than 0 and 1");
  }
  at::Tensor tensor = at::empty(entry.shape, entry.dtype);
  if (size > 0) {
    std::memcpy(tensor.data_ptr(), bytes, size);
  }
  return tensor;
}

void write_safetensors(const std::filesystem::path& path, const NamedTensors& tensors, const Metadata& metadata) {
  const std::string header = header_of(path, tensors, metadata);
  const std::uint64_t length = header.size();
  AtomicFile file(path);
  file.write(&length, sizeof length);
  file.write(header);
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor bytes = tensor.detach().cpu().contiguous();
    file.write(bytes.data_ptr(), bytes.nbytes());
  }
  file.commit();
}

}  // namespace effnetv2
