#include "command_text.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>

#include <CLI/CLI.hpp>

#include "effnetv2/core/text.h"

namespace effnetv2::cli {
namespace {

constexpr std::string_view kMany = "...";

/// What CLI11's validators say of themselves, "INT in [1 - 1024]", "{best,last}", "NONNEGATIVE".
void read_rule(const std::string& rule, OptionText& text) {
  const auto open = rule.find_first_of("{[");
  if (open == std::string::npos) {
    text.range = rule == "NONNEGATIVE" ? "0 or more" : rule;
    return;
  }
  std::string inside = rule.substr(open + 1, rule.find_last_of("}]") - open - 1);
  if (rule[open] == '{') {
    std::istringstream list(inside);
    for (std::string choice; std::getline(list, choice, ',');) {
      text.choices.push_back(choice);
    }
    return;
  }
  const auto dash = inside.find(" - ");
  text.range = dash == std::string::npos ? inside : inside.replace(dash, 3, " to ");
}

std::vector<std::string> sorted_names(const std::set<CLI::Option*>& options) {
  std::vector<std::string> names;
  for (const CLI::Option* option : options) {
    names.push_back(option->get_name());
  }
  std::ranges::sort(names);  // the set is ordered by address
  return names;
}

OptionText option_text(const CLI::Option& option) {
  OptionText text;
  const std::string type = option.get_type_name();
  const auto colon = type.find(':');
  if (option.get_positional()) {
    text.names = {option.get_name(true)};
  } else {
    for (const auto& name : option.get_snames()) {
      text.names.push_back("-" + name);
    }
    for (const auto& name : option.get_lnames()) {
      text.names.push_back("--" + name);
    }
    if (option.get_type_size() != 0) {
      text.value = type.substr(0, colon);
    }
  }
  if (colon != std::string::npos) {
    read_rule(type.substr(colon + 1), text);
  }
  text.doc = option.get_description();
  text.default_value = option.get_default_str();
  text.needs = sorted_names(option.get_needs());
  text.excludes = sorted_names(option.get_excludes());
  text.required = option.get_required();
  text.repeatable = option.get_expected_max() >= CLI::detail::expected_max_vector_size;
  return text;
}

void collect(const CommandText& command, std::vector<const CommandText*>& found) {
  for (const CommandText& below : command.commands) {
    found.push_back(&below);
    collect(below, found);
  }
}

}  // namespace

std::string OptionText::spelling() const {
  std::string text;
  for (const auto& name : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  if (!value.empty()) {
    text += " " + value;
  } else if (repeatable) {
    text += kMany;
  }
  return text;
}

std::string OptionText::meaning() const {
  std::vector<std::string> rules;
  if (!choices.empty()) {
    rules.push_back(choices.front());
    for (std::size_t i = 1; i < choices.size(); ++i) {
      rules.back() += (i + 1 == choices.size() ? " or " : ", ") + choices[i];
    }
  }
  if (!range.empty()) {
    rules.push_back(range);
  }
  if (!default_value.empty()) {
    rules.push_back("default " + default_value);
  }
  if (!needs.empty()) {
    rules.push_back("needs " + join_words(needs));
  }
  if (!excludes.empty()) {
    rules.push_back("not with " + join_words(excludes));
  }
  std::string text = doc;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    text += (i == 0 ? " (" : "; ") + rules[i];
  }
  return rules.empty() ? text : text + ")";
}

std::string CommandText::usage() const {
  std::string text = name;
  if (!commands.empty()) {
    return text + " COMMAND";
  }
  text += " [OPTIONS]";
  for (const OptionText& argument : arguments) {
    text += argument.required ? " " + argument.spelling() : " [" + argument.spelling() + "]";
  }
  return text;
}

std::string path_of(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : path_of(*parent) + " " + app.get_name();
}

CommandText command_text(const CLI::App& app) {
  CommandText text;
  text.name = path_of(app);
  text.doc = app.get_description();
  text.notes = app.get_footer();
  for (const CLI::Option* option : app.get_options({})) {
    (option->get_positional() ? text.arguments : text.options).push_back(option_text(*option));
  }
  for (const CLI::App* command : app.get_subcommands({})) {
    text.commands.push_back(command_text(*command));
  }
  return text;
}

std::vector<const CommandText*> all_commands(const CommandText& root) {
  std::vector<const CommandText*> found;
  collect(root, found);
  return found;
}

std::vector<OptionText> common_options(const CommandText& root) {
  const auto commands = all_commands(root);
  std::vector<OptionText> common = commands.front()->options;
  std::erase_if(common, [&](const OptionText& option) {
    return !std::ranges::all_of(commands, [&](const CommandText* command) {
      return !command->commands.empty() || std::ranges::find(command->options, option) != command->options.end();
    });
  });
  return common;
}

std::vector<OptionText> specific_options(const CommandText& command, const std::vector<OptionText>& common) {
  std::vector<OptionText> options;
  if (command.commands.empty()) {
    std::ranges::copy_if(command.options, std::back_inserter(options),
                         [&](const OptionText& option) { return std::ranges::find(common, option) == common.end(); });
  }
  return options;
}

std::vector<NoteBlock> note_blocks(const std::string& notes) {
  std::vector<NoteBlock> blocks;
  std::istringstream lines(notes);
  for (std::string line; std::getline(lines, line);) {
    const bool code = line.starts_with("  ");
    if (code) {
      line.erase(0, 2);
    }
    if (blocks.empty() || blocks.back().code != code) {
      blocks.push_back({code, {line}});
    } else if (code) {
      blocks.back().lines.push_back(line);
    } else {
      blocks.back().lines.back() += " " + line;
    }
  }
  return blocks;
}

std::vector<ManualSection> manual_sections() {
  return {
      {"Exit status",
       {{"0", "done"},
        {"2", "the config or the command line is wrong"},
        {"3", "images are missing, damaged or too few"},
        {"4", "a checkpoint or weights file is damaged or belongs to something else"},
        {"5", "the training diverged: a loss is not finite"},
        {"6", "the machine refused: disk full, permission, no such device, out of memory, run directory in use"},
        {"130", "ended by SIGINT or SIGTERM, after the state was saved; a second signal ends at once"}}},
      {"Files",
       {{"runs/NAME-N/",
         "a run: config.json, metrics.jsonl, metrics.csv, log.txt, report.html, result.json, checkpoints/"},
        {"share/effnetv2/configs/", "the configs that come with the program, below the prefix it is installed in"},
        {"share/effnetv2/config.schema.json", "the JSON Schema of a config, for \"$schema\" and editors"}}},
      {"Environment",
       {{"EFFNETV2_CPU",
         "the instruction set of the kernels, if a lower one than the processor's is wanted: avx512, avx2, baseline, "
         "or "
         "reference for LibTorch's own operations"},
        {"any variable", "${VAR} and ${VAR:-default} expand in the paths of a config"}}},
  };
}

}  // namespace effnetv2::cli
