#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace CLI {
class App;
}

namespace effnetv2::cli {

/// What the command line knows of one option or argument.
struct OptionText {
  std::vector<std::string> names;  ///< "-o", "--output"; an argument has one: "CONFIG.json"
  std::string value;               ///< what follows the option: "KEY=VALUE", "INT"; empty for flags and arguments
  std::string doc;
  std::string default_value;         ///< empty if there is none to name
  std::string range;                 ///< "1 to 1024"; empty if any number will do
  std::vector<std::string> choices;  ///< of a closed list
  std::vector<std::string> needs, excludes;
  bool required = false, repeatable = false;

  /// "--set KEY=VALUE", "-o, --output FILE", "PATH...".
  std::string spelling() const;
  /// The doc with its rules: "which weights of the run (best or last; default best)".
  std::string meaning() const;
  bool operator==(const OptionText&) const = default;
};

/// One command with everything its --help says. Plain data.
struct CommandText {
  std::string name;  ///< "effnetv2 data synth"
  std::string doc;
  std::vector<OptionText> arguments, options;
  std::string notes;  ///< the end of its help: examples, remarks
  std::vector<CommandText> commands;

  /// "effnetv2 data synth [OPTIONS] DIR".
  std::string usage() const;
};

/// A paragraph, or lines of a shell.
struct NoteBlock {
  bool code = false;
  std::vector<std::string> lines;  ///< of a paragraph: one
};

/// "effnetv2 data synth".
std::string path_of(const CLI::App& app);

/// The parsed app, its commands and theirs.
CommandText command_text(const CLI::App& app);

/// Every command below `root`, in the order of the help, each before those below it.
std::vector<const CommandText*> all_commands(const CommandText& root);

/// The options that all commands without others below them have in common, word for word.
std::vector<OptionText> common_options(const CommandText& root);

/// The options of `command` that are none of `common`; none for a command that needs one of those below it.
std::vector<OptionText> specific_options(const CommandText& command, const std::vector<OptionText>& common);

/// The notes of a command: indented lines are code, others are joined into paragraphs.
std::vector<NoteBlock> note_blocks(const std::string& notes);

/// What is to be said of the program beside its commands: a title and its terms with their explanations.
struct ManualSection {
  std::string_view title;
  std::vector<std::pair<std::string_view, std::string_view>> entries;
};
std::vector<ManualSection> manual_sections();

}  // namespace effnetv2::cli
