#include "effnetv2/config/text_rules.h"

#include <algorithm>

namespace effnetv2 {
namespace {

bool is_number(std::string_view text, std::size_t digits) {
  return !text.empty() && text.size() <= digits && (text.size() == 1 || text[0] != '0') &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_numbered(std::string_view text, std::string_view prefix, std::size_t digits) {
  return text.starts_with(prefix) && is_number(text.substr(prefix.size()), digits);
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 100 && text[0] != '.' && text[0] != '-' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                  c == '-' || c == '+' || c == '=' || c == ',' || c == '@';
         });
}

bool is_device(std::string_view text) {
  return text == "auto" || text == "cpu" || text == "cuda" || is_numbered(text, "cuda:", 3);
}

bool is_freeze(std::string_view text) {
  return text == "none" || text == "backbone" || is_numbered(text, "stages:", 2);
}

}  // namespace

const TextRule kNameRule{"1 to 100 letters, digits or . _ - + = , @ and begin with neither . nor -",
                         "^[A-Za-z0-9_+=,@][A-Za-z0-9._+=,@-]{0,99}$", is_name};
const TextRule kDeviceRule{"auto, cpu, cuda or cuda:N", "^(auto|cpu|cuda|cuda:(0|[1-9][0-9]{0,2}))$", is_device};
const TextRule kFreezeRule{"none, backbone or stages:N", "^(none|backbone|stages:(0|[1-9][0-9]?))$", is_freeze};

}  // namespace effnetv2
