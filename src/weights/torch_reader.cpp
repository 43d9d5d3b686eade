#include "effnetv2/weights/torch_reader.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "effnetv2/core/error.h"
#include "effnetv2/core/text.h"

#include "defect.h"
#include "pickle.h"
#include "torch_archive.h"
#include "torch_storage.h"

namespace effnetv2 {
namespace {

using Kind = PickleValue::Kind;

constexpr std::uint64_t kMaxPickle = 64 << 20;
constexpr std::size_t kMaxTorchRank = 64;
constexpr std::size_t kMaxNesting = 40;  // dicts looked into
/// Several names may share one storage, but not so that a small file makes a large network.
constexpr std::uint64_t kMaxShared = 16;

const PickleValue& item(const PickleValue& value, std::size_t index, Kind kind, const std::string& of) {
  if (index >= value.items.size() || value.items[index]->kind != kind) {
    throw Defect{"the tensor " + in_quotes(of) + " is not described as torch.save does"};
  }
  return *value.items[index];
}

/// A call of `global`?
bool calls(const PickleValue& value, std::string_view global) {
  return value.kind == Kind::call && value.items[0]->text == global;
}

/// The call that rebuilds a tensor, out of a Parameter's where it is one; null if `value` is no tensor.
const PickleValue* tensor_call(const PickleValue& value) {
  if (calls(value, "torch._utils _rebuild_parameter") && !value.items[1]->items.empty()) {
    const PickleValue& inner = *value.items[1]->items[0];
    return calls(inner, "torch._utils _rebuild_tensor_v2") ? &inner : nullptr;
  }
  return calls(value, "torch._utils _rebuild_tensor_v2") ? &value : nullptr;
}

std::vector<std::int64_t> whole_numbers(const PickleValue& tuple, const std::string& of) {
  std::vector<std::int64_t> numbers;
  for (std::size_t i = 0; i < tuple.items.size(); ++i) {
    numbers.push_back(item(tuple, i, Kind::integer, of).integer);
    if (numbers.back() < 0) {
      throw Defect{"the tensor " + in_quotes(of) + " has a negative size or stride"};
    }
  }
  return numbers;
}

/// Elements of a tensor and how far into its storage it reaches, none of which can overflow.
struct Extent {
  std::int64_t elements = 1, reach = 0;
};

Extent extent_of(const std::vector<std::int64_t>& sizes, const std::vector<std::int64_t>& strides,
                 const std::string& of) {
  const auto too_large = [&]() -> Defect { return {"the tensor " + in_quotes(of) + " has a shape beyond all memory"}; };
  Extent extent;
  std::int64_t capacity = 1;  // an empty tensor's other sizes must not overflow either
  for (const std::int64_t size : sizes) {
    if (__builtin_mul_overflow(capacity, std::max<std::int64_t>(size, 1), &capacity)) {
      throw too_large();
    }
    extent.elements *= size;
  }
  if (capacity > std::numeric_limits<std::int64_t>::max() / 16) {
    throw too_large();
  }
  for (std::size_t d = 0; d < sizes.size() && extent.elements > 0; ++d) {
    std::int64_t step = 0;
    if (__builtin_mul_overflow(sizes[d] - 1, strides[d], &step) ||
        __builtin_add_overflow(extent.reach, step, &extent.reach)) {
      throw too_large();
    }
  }
  extent.reach += extent.elements > 0 ? 1 : 0;
  return extent;
}

/// Makes tensors out of their descriptions.
class Builder {
 public:
  Builder(const FileBytes& file, const TorchArchive& archive) : file_(file), archive_(archive) {}

  at::Tensor build(const PickleValue& call, const std::string& name) {
    const PickleValue& arguments = *call.items[1];
    const PickleValue& id = item(item(arguments, 0, Kind::persistent, name), 0, Kind::tuple, name);
    const Storage& storage = storage_of(id, name);
    const std::int64_t offset = item(arguments, 1, Kind::integer, name).integer;
    const auto sizes = whole_numbers(item(arguments, 2, Kind::tuple, name), name);
    const auto strides = whole_numbers(item(arguments, 3, Kind::tuple, name), name);
    if (sizes.size() != strides.size() || sizes.size() > kMaxTorchRank) {
      throw Defect{"the tensor " + in_quotes(name) + " has " + std::to_string(sizes.size()) + " sizes and " +
                   std::to_string(strides.size()) + " strides"};
    }
    const auto [elements, reach] = extent_of(sizes, strides, name);
    if (offset < 0 || offset > storage.elements || reach > storage.elements - offset) {
      throw Defect{"the tensor " + in_quotes(name) + " reaches beyond the " + std::to_string(storage.elements) +
                   " elements of its storage"};
    }
    if (elements > storage.elements) {
      throw Defect{"the tensor " + in_quotes(name) + " is larger than its storage (expanded); save it contiguous"};
    }
    count(static_cast<std::uint64_t>(elements) * c10::elementSize(storage.dtype));
    const auto options = at::TensorOptions().dtype(storage.dtype);
    if (elements == 0) {
      return at::empty(sizes, options);
    }
    const auto owner = storage.owner;
    char* begin = storage.data + static_cast<std::uint64_t>(offset) * c10::elementSize(storage.dtype);
    return at::from_blob(
        begin, sizes, strides, [owner](void*) {}, options);
  }

 private:
  struct Storage {
    at::ScalarType dtype = at::kFloat;
    std::int64_t elements = 0;
    char* data = nullptr;
    std::shared_ptr<const void> owner;
  };

  const Storage& storage_of(const PickleValue& id, const std::string& name) {
    if (item(id, 0, Kind::text, name).text != "storage") {
      throw Defect{"the tensor " + in_quotes(name) + " has no storage"};
    }
    const std::string_view type = item(id, 1, Kind::global, name).text;
    const std::string key(item(id, 2, Kind::text, name).text);
    const std::int64_t elements = item(id, 4, Kind::integer, name).integer;
    const auto* known = std::find_if(kStorageTypes.begin(), kStorageTypes.end(),
                                     [&](const StorageType& one) { return one.global == type; });
    if (known == kStorageTypes.end()) {
      throw Defect{"the tensor " + in_quotes(name) + " is of " + in_quotes(type)};
    }
    const auto [place, fresh] = storages_.try_emplace(key);
    Storage& storage = place->second;
    if (fresh) {
      storage = open(key, known->dtype, elements, name);
    }
    if (storage.dtype != known->dtype || storage.elements != elements) {
      throw Defect{"the storage " + in_quotes(key) + " of the tensor " + in_quotes(name) + " is described in two ways"};
    }
    return storage;
  }

  Storage open(const std::string& key, at::ScalarType dtype, std::int64_t elements, const std::string& name) const {
    const std::string_view bytes = archive_.bytes("data/" + key);
    const std::size_t width = c10::elementSize(dtype);
    if (elements < 0 || bytes.size() / width != static_cast<std::uint64_t>(elements) || bytes.size() % width != 0) {
      throw Defect{"the storage of the tensor " + in_quotes(name) + " has " + std::to_string(bytes.size()) +
                   " bytes, but should hold " + std::to_string(elements) + " numbers of " + std::to_string(width)};
    }
    if (dtype == at::kBool && std::any_of(bytes.begin(), bytes.end(), [](char b) { return b != 0 && b != 1; })) {
      throw Defect{"the tensor " + in_quotes(name) + " of bool holds bytes other than 0 and 1"};
    }
    char* data = const_cast<char*>(bytes.data());
    if (bytes.empty() || reinterpret_cast<std::uintptr_t>(data) % width == 0) {
      return {dtype, elements, data, file_.owner()};
    }
    const at::Tensor copy = at::empty({elements}, dtype);
    std::memcpy(copy.data_ptr(), data, bytes.size());
    return {dtype, elements, static_cast<char*>(copy.data_ptr()), std::make_shared<at::Tensor>(copy)};
  }

  void count(std::uint64_t bytes) {
    bytes_ += bytes;
    if (bytes_ / kMaxShared > file_.view().size()) {
      throw Defect{"its tensors share storages so that they would need " + std::to_string(kMaxShared) +
                   " times the file's size"};
    }
  }

  const FileBytes& file_;
  const TorchArchive& archive_;
  std::map<std::string, Storage> storages_;
  std::uint64_t bytes_ = 0;
};

/// What torch.save writes for tensors, parameters, their storages and the containers around them.
std::vector<std::string_view> known_globals() {
  std::vector<std::string_view> names{"collections OrderedDict",
                                      "collections Counter",
                                      "torch._utils _rebuild_tensor_v2",
                                      "torch._utils _rebuild_parameter",
                                      "torch Size",
                                      "torch device",
                                      "torch float16",
                                      "torch bfloat16",
                                      "torch float32",
                                      "torch float64",
                                      "torch int64",
                                      "torch int32",
                                      "torch int16",
                                      "torch int8",
                                      "torch uint8",
                                      "torch bool",
                                      "_codecs encode"};
  for (const auto& type : kStorageTypes) {
    names.push_back(type.global);
  }
  return names;
}

struct Found {
  const PickleValue* dict = nullptr;
  std::string key;
};

bool has_tensors(const PickleValue& dict) {
  for (std::size_t i = 1; i < dict.items.size(); i += 2) {
    if (tensor_call(*dict.items[i]) != nullptr) {
      return true;
    }
  }
  return false;
}

const PickleValue* value_of(const PickleValue& dict, std::string_view key) {
  for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    if (dict.items[i]->kind == Kind::text && dict.items[i]->text == key) {
      return dict.items[i + 1];
    }
  }
  return nullptr;
}

/// Looks under the known keys before it takes the dict itself, which may hold a tensor beside its state_dict. Averaged
/// weights first: they are what such a checkpoint is evaluated with.
std::optional<Found> find_state_dict(const PickleValue& value, const std::string& key,
                                     std::set<const PickleValue*>& seen) {
  if (value.kind != Kind::dict || !seen.insert(&value).second) {
    return std::nullopt;
  }
  for (const char* name : {"model_ema", "ema_state_dict", "state_dict_ema", "state_dict", "model_state_dict", "model",
                           "module", "network", "net"}) {
    if (const PickleValue* inner = seen.size() > kMaxNesting ? nullptr : value_of(value, name)) {
      if (auto found = find_state_dict(*inner, key.empty() ? name : key + "." + name, seen)) {
        return found;
      }
    }
  }
  return has_tensors(value) ? std::optional(Found{&value, key}) : std::nullopt;
}

std::string keys_of(const PickleValue& dict) {
  constexpr std::size_t kShown = 10;
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < dict.items.size() && keys.size() < kShown; i += 2) {
    if (dict.items[i]->kind == Kind::text) {
      keys.push_back(in_quotes(dict.items[i]->text));
    }
  }
  return keys.empty() ? "none" : join_words(keys);
}

/// DistributedDataParallel, AveragedModel and torch.compile each put a word before every name.
void drop_wrappers(NamedTensors& tensors) {
  std::erase_if(tensors, [](const auto& entry) { return entry.first == "n_averaged"; });
  for (const std::string prefix : {"module.", "_orig_mod.", "module.", "_orig_mod."}) {
    const bool all = !tensors.empty() && std::all_of(tensors.begin(), tensors.end(), [&](const auto& entry) {
      return entry.first.starts_with(prefix);
    });
    if (all) {
      for (auto& entry : tensors) {
        entry.first.erase(0, prefix.size());
      }
    }
  }
}

Metadata metadata_of(const TorchArchive& archive) {
  if (!archive.contains("metadata.json")) {
    return {};
  }
  const auto document = nlohmann::json::parse(archive.bytes("metadata.json"), nullptr, /*allow_exceptions=*/false);
  Metadata metadata;
  if (document.is_object()) {
    for (const auto& [key, value] : document.items()) {
      if (value.is_string()) {
        metadata[key] = value.get<std::string>();
      }
    }
  }
  return metadata;
}

void check_byte_order(const TorchArchive& archive) {
  if (archive.contains("byteorder") && archive.bytes("byteorder") != "little") {
    throw Defect{"its numbers are in the byte order " + in_quotes(archive.bytes("byteorder")) +
                 "; only \"little\" is read"};
  }
}

TorchFile read(const FileBytes& file) {
  const TorchArchive archive(file.view());
  check_byte_order(archive);
  const std::string_view pickle = archive.bytes("data.pkl");
  if (pickle.size() > kMaxPickle) {
    throw Defect{"its data.pkl has " + std::to_string(pickle.size()) + " bytes, at most 64 MiB are read"};
  }
  const PickleReader reader(pickle, known_globals());
  std::set<const PickleValue*> seen;
  const auto found = find_state_dict(reader.root(), "", seen);
  if (!found) {
    throw Defect{reader.root().kind == Kind::dict
                     ? "it holds no state_dict; its keys are " + keys_of(reader.root())
                     : "it holds no state_dict; save one with torch.save(model.state_dict(), ...)"};
  }
  TorchFile result;
  result.taken_from = found->key;
  result.metadata = metadata_of(archive);
  Builder builder(file, archive);
  const auto& items = found->dict->items;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i]->kind != Kind::text) {
      throw Defect{"a tensor's name is no text"};
    }
    std::string name(items[i]->text);
    const PickleValue* call = tensor_call(*items[i + 1]);
    if (call == nullptr) {
      throw Defect{"its entry " + in_quotes(name) +
                   " is no tensor; save the state_dict alone, or under \"state_dict\""};
    }
    at::Tensor tensor = builder.build(*call, name);
    result.tensors.emplace_back(std::move(name), std::move(tensor));
  }
  drop_wrappers(result.tensors);
  return result;
}

}  // namespace

TorchFile read_torch_file(const FileBytes& file) {
  try {
    return read(file);
  } catch (const Defect& defect) {
    throw CheckpointError(file.name() + ": is no PyTorch file that can be read: " + defect.text);
  }
}

}  // namespace effnetv2
