#include "effnetv2/weights/torch_writer.h"

#include <algorithm>
#include <set>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/core/text.h"

#include "defect.h"
#include "torch_storage.h"
#include "zip.h"

namespace effnetv2 {
namespace {

template <typename T>
void put(std::string& out, char opcode, T argument) {
  out += opcode;
  out.append(reinterpret_cast<const char*>(&argument), sizeof argument);
}

void put_text(std::string& out, std::string_view text) {
  put(out, 'X', static_cast<std::uint32_t>(text.size()));
  out += text;
}

/// "module name", as in kStorageTypes
void put_global(std::string& out, std::string_view global) {
  const auto space = global.find(' ');
  out += 'c';
  out += std::string(global.substr(0, space)) + "\n" + std::string(global.substr(space + 1)) + "\n";
}

void put_integer(std::string& out, std::int64_t value) {
  put(out, '\x8a', std::uint8_t{sizeof value});  // LONG1
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_tuple(std::string& out, at::IntArrayRef numbers) {
  out += '(';
  for (const std::int64_t number : numbers) {
    put_integer(out, number);
  }
  out += 't';
}

void put_ordered_dict(std::string& out) {
  put_global(out, "collections OrderedDict");
  out += ")R";
}

/// torch._utils._rebuild_tensor_v2(storage, 0, sizes, strides, requires_grad=False, backward_hooks=OrderedDict())
void put_tensor(std::string& out, const at::Tensor& tensor, std::string_view storage, std::size_t key) {
  put_global(out, "torch._utils _rebuild_tensor_v2");
  out += "((";
  put_text(out, "storage");
  put_global(out, storage);
  put_text(out, std::to_string(key));
  put_text(out, "cpu");
  put_integer(out, tensor.numel());
  out += "tQ";
  put_integer(out, 0);
  put_tuple(out, tensor.sizes());
  put_tuple(out, tensor.strides());
  out += '\x89';
  put_ordered_dict(out);
  out += "tR";
}

std::string_view storage_of(at::ScalarType dtype) {
  const auto* found = std::find_if(kStorageTypes.begin(), kStorageTypes.end(),
                                   [&](const StorageType& one) { return one.dtype == dtype; });
  return found == kStorageTypes.end() ? std::string_view() : found->global;
}

std::string pickle_of(const std::filesystem::path& path, const NamedTensors& tensors) {
  std::set<std::string> names;
  std::string out = "\x80\x02";
  put_ordered_dict(out);
  out += '(';
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, tensor] = tensors[i];
    const auto storage = storage_of(tensor.scalar_type());
    if (storage.empty()) {
      throw CheckpointError(path.string() + ": cannot save " + in_quotes(name) + ", a tensor of " +
                            c10::toString(tensor.scalar_type()));
    }
    if (!names.insert(name).second) {
      throw CheckpointError(path.string() + ": cannot save two tensors named " + in_quotes(name));
    }
    put_text(out, name);
    put_tensor(out, at::empty(tensor.sizes(), at::TensorOptions(at::kMeta).dtype(tensor.scalar_type())), storage, i);
  }
  out += "u.";
  return out;
}

}  // namespace

void write_torch_file(const std::filesystem::path& path, const NamedTensors& tensors, const Metadata& metadata) {
  const std::string pickle = pickle_of(path, tensors);
  AtomicFile file(path);
  ZipWriter zip([&](std::string_view bytes) { file.write(bytes); });
  try {
    zip.add("archive/data.pkl", pickle);
    zip.add("archive/byteorder", "little");
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const at::Tensor values = tensors[i].second.detach().cpu().contiguous();
      zip.add("archive/data/" + std::to_string(i), {static_cast<const char*>(values.data_ptr()), values.nbytes()});
    }
    if (!metadata.empty()) {
      zip.add("archive/metadata.json", nlohmann::json(metadata).dump());
    }
    zip.add("archive/version", "3\n");
    zip.finish();
  } catch (const Defect& defect) {
    throw CheckpointError(path.string() + ": cannot be written: " + defect.text);
  } catch (const nlohmann::json::exception&) {
    throw CheckpointError(path.string() + ": a name or value to save is no valid UTF-8");
  }
  file.commit();
}

}  // namespace effnetv2
