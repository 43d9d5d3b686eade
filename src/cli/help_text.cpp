#include <algorithm>
#include <sstream>
#include <utility>
#include <vector>

#include "manual.h"

namespace effnetv2::cli {
namespace {

constexpr std::size_t kWidestTerm = 26;
constexpr std::size_t kLineWidth = 110;

/// Terms in one column, their explanations in another; a long term has a line of its own.
class Terms {
 public:
  void add(const std::string& term, const std::string& meaning) { rows_.emplace_back(term, meaning); }

  std::string under(const std::string& title) const {
    std::size_t widest = 0;
    for (const auto& [term, meaning] : rows_) {
      widest = std::max(widest, std::min(term.size(), kWidestTerm));
    }
    const std::string margin(widest + 4, ' ');
    std::string out = rows_.empty() ? "" : "\n" + title + ":\n";
    for (const auto& [term, meaning] : rows_) {
      std::string line = "  " + term;
      if (term.size() > widest) {
        out += line + "\n";
        line.clear();
      }
      line.resize(margin.size(), ' ');
      std::istringstream words(meaning);
      for (std::string word; words >> word;) {
        if (line.size() + word.size() > kLineWidth) {
          out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
          line = margin;
        }
        line += word + " ";
      }
      line.pop_back();
      out += line + "\n";
    }
    return out;
  }

 private:
  std::vector<std::pair<std::string, std::string>> rows_;
};

}  // namespace

std::string help_text(const CommandText& command) {
  Terms arguments, options, commands;
  for (const OptionText& argument : command.arguments) {
    arguments.add(argument.spelling(), argument.meaning());
  }
  for (const OptionText& option : command.options) {
    // long names stand below each other
    options.add((option.names.front().starts_with("--") ? "    " : "") + option.spelling(), option.meaning());
  }
  for (const CommandText& below : command.commands) {
    commands.add(below.name.substr(command.name.size() + 1), below.doc);
  }
  return command.doc + "\n\nUsage: " + command.usage() + "\n" + arguments.under("Arguments") +
         options.under("Options") + commands.under("Commands") +
         (command.notes.empty() ? "" : "\n" + command.notes + "\n");
}

}  // namespace effnetv2::cli
