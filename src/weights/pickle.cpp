#include "pickle.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <unordered_map>

#include "effnetv2/core/text.h"

#include "defect.h"

namespace effnetv2 {
namespace {

using Kind = PickleValue::Kind;

constexpr std::size_t kMaxValues = 2'000'000;

// pickletools' names
enum Opcode : unsigned char {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kDict = 'd',
  kEmptyDict = '}',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kList = 'l',
  kEmptyList = ']',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kEmptyTuple = ')',
  kSetItems = 'u',
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kProto = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kShortBinUnicode = 0x8c,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
};

}  // namespace

/// The stack machine that pickle is, without what would make it dangerous.
class PickleReader::Machine {
 public:
  Machine(PickleReader& reader, std::string_view pickle, const std::vector<std::string_view>& globals)
      : reader_(reader), rest_(pickle), globals_(globals) {}

  const PickleValue* run() {
    while (true) {
      const auto code = number<unsigned char>();
      if (code == kStop) {
        return pop();
      }
      step(code);
    }
  }

 private:
  [[noreturn]] static void damaged(const std::string& what) { throw Defect{"its pickle is damaged: " + what}; }

  [[noreturn]] static void too_many() {
    throw Defect{"its pickle makes more than " + with_commas(kMaxValues) + " values"};
  }

  std::string_view take(std::uint64_t bytes) {
    if (bytes > rest_.size()) {
      damaged("it ends in the middle");
    }
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }

  template <typename T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  std::string_view line() {
    const auto end = rest_.find('\n');
    if (end == std::string_view::npos) {
      damaged("it ends in the middle");
    }
    const std::string_view text = take(end);
    take(1);
    return text;
  }

  PickleValue& push(Kind kind) {
    if (reader_.values_.size() >= kMaxValues) {
      too_many();
    }
    PickleValue& value = reader_.values_.emplace_back();
    value.kind = kind;
    stack_.push_back(&value);
    return value;
  }
  void push_integer(std::int64_t number) { push(Kind::integer).integer = number; }
  void push_text(std::string_view text) { push(Kind::text).text = text; }

  /// Never below the newest mark.
  PickleValue* pop() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) {
      damaged("it takes from an empty stack");
    }
    PickleValue* value = stack_.back();
    stack_.pop_back();
    return value;
  }
  PickleValue& top() {
    PickleValue* value = pop();
    stack_.push_back(value);
    return *value;
  }

  /// What was pushed since the newest mark, which goes too.
  std::vector<const PickleValue*> pop_to_mark() {
    if (marks_.empty()) {
      damaged("a mark is missing");
    }
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<const PickleValue*> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return items;
  }

  PickleValue& container(Kind kind, const char* what) {
    PickleValue& value = top();
    if (value.kind != kind) {
      damaged(std::string("it fills something that is no ") + what);
    }
    return value;
  }

  void push_tuple(std::size_t size) {
    std::vector<const PickleValue*> items(size);
    for (std::size_t i = size; i-- > 0;) {
      items[i] = pop();
    }
    push(Kind::tuple).items = std::move(items);
  }

  void set_items(const std::vector<const PickleValue*>& items) {
    if (items.size() % 2 != 0) {
      damaged("a key has no value");
    }
    PickleValue& dict = container(Kind::dict, "dict");
    dict.items.insert(dict.items.end(), items.begin(), items.end());
  }

  void append(const std::vector<const PickleValue*>& items) {
    PickleValue& list = container(Kind::list, "list");
    list.items.insert(list.items.end(), items.begin(), items.end());
  }

  void push_global(std::string_view module, std::string_view name) {
    const std::string full = std::string(module) + " " + std::string(name);
    const auto known = std::find(globals_.begin(), globals_.end(), full);
    if (known == globals_.end()) {
      throw Defect{"it needs the Python global " +
                   in_quotes(std::string(module) + (module.empty() ? "" : ".") + std::string(name)) +
                   ", and no code of a file is run here; save only the weights: torch.save(model.state_dict(), ...)"};
    }
    push(Kind::global).text = *known;
  }

  /// An OrderedDict is a dict; what else is called stays a description of the call.
  void reduce() {
    const PickleValue* arguments = pop();
    const PickleValue* callable = pop();
    if (callable->kind != Kind::global || arguments->kind != Kind::tuple) {
      damaged("it calls something that is no global");
    }
    if (callable->text != "collections OrderedDict") {
      push(Kind::call).items = {callable, arguments};
      return;
    }
    PickleValue& dict = push(Kind::dict);
    if (arguments->items.empty()) {
      return;
    }
    // the list is copied, and the same list can be given again and again
    copied_ += arguments->items.front()->items.size();
    if (copied_ > kMaxValues) {
      too_many();
    }
    for (const PickleValue* pair : arguments->items.front()->items) {
      if (pair->items.size() != 2) {
        damaged("a key has no value");
      }
      dict.items.insert(dict.items.end(), pair->items.begin(), pair->items.end());
    }
  }

  void put(std::uint64_t index) {
    memo_[index] = &top();
    if (memo_.size() > kMaxValues) {
      too_many();
    }
  }

  void get(std::uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) {
      damaged("it repeats a value that it never made");
    }
    if (++repeats_ > kMaxValues) {
      too_many();
    }
    stack_.push_back(found->second);
  }

  void push_long() {
    const std::string_view bytes = take(number<std::uint8_t>());
    if (bytes.size() > sizeof(std::int64_t)) {
      damaged("it holds a number of more than 64 bits");
    }
    const bool negative = !bytes.empty() && (static_cast<unsigned char>(bytes.back()) & 0x80u) != 0;
    std::int64_t value = negative ? -1 : 0;
    std::memcpy(&value, bytes.data(), bytes.size());
    push_integer(value);
  }

  void push_real() {
    const std::string_view bytes = take(sizeof(double));  // the one big-endian number
    std::uint64_t bits = 0;
    for (const char byte : bytes) {
      bits = (bits << 8) | static_cast<unsigned char>(byte);
    }
    push(Kind::real).real = std::bit_cast<double>(bits);
  }

  void step(unsigned char code);

  PickleReader& reader_;
  std::string_view rest_;
  const std::vector<std::string_view>& globals_;
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, PickleValue*> memo_;
  std::size_t repeats_ = 0, copied_ = 0;
};

void PickleReader::Machine::step(unsigned char code) {
  switch (code) {
    case kProto:
      if (const auto version = number<std::uint8_t>(); version < 2 || version > 5) {
        throw Defect{"its pickle has protocol " + std::to_string(version) + ", 2 to 5 are read"};
      }
      return;
    case kFrame:
      take(8);
      return;
    case kMark:
      if (marks_.size() >= kMaxValues) {
        too_many();
      }
      marks_.push_back(stack_.size());
      return;
    case kPop:
      if (!marks_.empty() && marks_.back() == stack_.size()) {
        marks_.pop_back();
      } else {
        pop();
      }
      return;
    case kPopMark:
      pop_to_mark();
      return;
    case kNone:
      push(Kind::none);
      return;
    case kNewTrue:
    case kNewFalse:
      push(Kind::boolean).integer = code == kNewTrue ? 1 : 0;
      return;
    case kBinInt:
      push_integer(number<std::int32_t>());
      return;
    case kBinInt1:
      push_integer(number<std::uint8_t>());
      return;
    case kBinInt2:
      push_integer(number<std::uint16_t>());
      return;
    case kLong1:
      push_long();
      return;
    case kBinFloat:
      push_real();
      return;
    case kBinUnicode:
    case kBinString:
    case kBinBytes:
      push_text(take(number<std::uint32_t>()));
      return;
    case kShortBinUnicode:
    case kShortBinString:
    case kShortBinBytes:
      push_text(take(number<std::uint8_t>()));
      return;
    case kEmptyTuple:
      push(Kind::tuple);
      return;
    case kTuple1:
    case kTuple2:
    case kTuple3:
      push_tuple(code - kTuple1 + 1u);
      return;
    case kTuple:
    case kList: {
      auto items = pop_to_mark();
      push(code == kTuple ? Kind::tuple : Kind::list).items = std::move(items);
      return;
    }
    case kEmptyList:
      push(Kind::list);
      return;
    case kAppend:
      append({pop()});
      return;
    case kAppends:
      append(pop_to_mark());
      return;
    case kEmptyDict:
      push(Kind::dict);
      return;
    case kDict: {
      const auto items = pop_to_mark();
      push(Kind::dict);
      set_items(items);
      return;
    }
    case kSetItem: {
      const PickleValue* value = pop();
      const PickleValue* key = pop();
      set_items({key, value});
      return;
    }
    case kSetItems:
      set_items(pop_to_mark());
      return;
    case kGlobal: {
      const std::string_view module = line();
      push_global(module, line());
      return;
    }
    case kStackGlobal: {
      const PickleValue* name = pop();
      const PickleValue* module = pop();
      if (name->kind != Kind::text || module->kind != Kind::text) {
        damaged("a global has no name");
      }
      push_global(module->text, name->text);
      return;
    }
    case kReduce:
      reduce();
      return;
    case kBuild:
      pop();  // attributes such as a state_dict's _metadata
      top();
      return;
    case kBinPersId: {
      const PickleValue* id = pop();
      push(Kind::persistent).items = {id};
      return;
    }
    case kBinPut:
      put(number<std::uint8_t>());
      return;
    case kLongBinPut:
      put(number<std::uint32_t>());
      return;
    case kMemoize:
      put(memo_.size());
      return;
    case kBinGet:
      get(number<std::uint8_t>());
      return;
    case kLongBinGet:
      get(number<std::uint32_t>());
      return;
    default:
      throw Defect{"its pickle has the opcode " + std::to_string(code) + ", which no state_dict needs"};
  }
}

PickleReader::PickleReader(std::string_view pickle, const std::vector<std::string_view>& globals) {
  root_ = Machine(*this, pickle, globals).run();
}

}  // namespace effnetv2
