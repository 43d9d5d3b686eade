#include "torch_archive.h"

#include "effnetv2/core/text.h"

#include "defect.h"

namespace effnetv2 {

TorchArchive::TorchArchive(std::string_view file) : entries_(read_zip(file)) {
  for (const auto& entry : entries_) {
    by_name_.emplace(entry.name, &entry);
    if (const auto slash = entry.name.find('/');
        slash != std::string::npos && entry.name.substr(slash) == "/data.pkl") {
      folder_ = entry.name.substr(0, slash + 1);
    }
  }
  if (folder_.empty()) {
    throw Defect{"this zip archive holds no data.pkl, so torch.save did not write it"};
  }
  if (contains("constants.pkl")) {
    throw Defect{"it is a TorchScript archive; save the weights alone: torch.save(model.state_dict(), ...)"};
  }
}

const ZipEntry* TorchArchive::find(const std::string& name) const {
  const auto found = by_name_.find(folder_ + name);
  return found == by_name_.end() ? nullptr : found->second;
}

std::string_view TorchArchive::bytes(const std::string& name) const {
  const ZipEntry* entry = find(name);
  if (entry == nullptr) {
    throw Defect{"it has no entry " + in_quotes(name)};
  }
  if (!entry->stored) {
    throw Defect{"its entry " + in_quotes(name) + " is compressed or encrypted; save it again with torch.save"};
  }
  if (!entry->is_whole()) {
    throw Defect{"the checksum of its entry " + in_quotes(name) +
                 " does not fit: the file is damaged, or was saved without checksums"};
  }
  return entry->bytes;
}

}  // namespace effnetv2
