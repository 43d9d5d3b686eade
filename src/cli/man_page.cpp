#include <cctype>

#include "effnetv2/core/version.h"

#include "manual.h"

namespace effnetv2::cli {
namespace {

/// Text for a line of its own: nothing in it is a request, and every hyphen can be searched for and pasted.
std::string escaped(std::string_view text) {
  std::string out = text.starts_with('.') || text.starts_with('\'') ? "\\&" : "";
  for (const char c : text) {
    out += c == '\\' ? "\\e" : c == '-' ? "\\-" : std::string(1, c);
  }
  return out;
}

std::string bold(std::string_view text) {
  return "\\fB" + escaped(text) + "\\fR";
}
std::string italic(std::string_view text) {
  return "\\fI" + escaped(text) + "\\fR";
}

std::string section(std::string_view title) {
  std::string text = ".SH ";
  for (const char c : title) {
    text += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return text + "\n";
}

std::string entry(const OptionText& option) {
  std::string term;
  for (const auto& name : option.names) {
    term += (term.empty() ? "" : ", ") + (name.starts_with('-') ? bold(name) : italic(name));
  }
  if (!option.value.empty()) {
    term += " " + italic(option.value);
  } else if (option.repeatable) {
    term += "...";
  }
  return ".TP\n" + term + "\n" + escaped(option.meaning()) + "\n";
}

std::string notes(const std::string& text) {
  std::string out;
  for (const NoteBlock& block : note_blocks(text)) {
    out += block.code ? ".PP\n.RS 4\n.nf\n" : ".PP\n";
    for (const auto& line : block.lines) {
      out += escaped(line) + "\n";
    }
    out += block.code ? ".fi\n.RE\n" : "";
  }
  return out;
}

std::string synopsis(const CommandText& command) {
  std::string text = bold(command.name) + " [" + italic("OPTIONS") + "]";
  for (const OptionText& argument : command.arguments) {
    const std::string name = italic(argument.names.front()) + (argument.repeatable ? "..." : "");
    text += argument.required ? " " + name : " [" + name + "]";
  }
  return text;
}

}  // namespace

std::string man_page(const CommandText& program) {
  std::string page = ".\\\" Written by \"effnetv2 docs man\".\n.TH EFFNETV2 1 \"\" \"effnetv2 " + version() +
                     "\" \"User Commands\"\n" + section("Name") + "effnetv2 \\- " +
                     escaped("train and study EfficientNetV2 from JSON configs") + "\n" + section("Synopsis");
  const auto commands = all_commands(program);
  const auto common = common_options(program);
  for (const CommandText* command : commands) {
    if (command->commands.empty()) {
      page += synopsis(*command) + "\n.br\n";
    }
  }
  for (const OptionText& option : program.options) {
    page +=
        bold(program.name) + " " + bold(option.names.back()) + (&option == &program.options.back() ? "\n" : "\n.br\n");
  }
  page +=
      section("Description") +
      escaped(
          "A JSON config goes in; a run directory with a trained network, its metrics and its checkpoints comes out. "
          "Results go to stdout, progress and messages to stderr. Every key of a config has a default, and \"effnetv2 "
          "config keys\" explains them.") +
      "\n" + section("Options") + "Every command takes these.\n";
  for (const OptionText& option : common) {
    page += entry(option);
  }
  page += section("Commands");
  for (const CommandText* command : commands) {
    page += ".SS " + escaped(command->usage().substr(program.name.size() + 1)) + "\n" + escaped(command->doc) + "\n";
    for (const OptionText& argument : command->arguments) {
      page += entry(argument);
    }
    for (const OptionText& option : specific_options(*command, common)) {
      page += entry(option);
    }
    page += notes(command->notes);
  }
  for (const ManualSection& part : manual_sections()) {
    page += section(part.title);
    for (const auto& [term, text] : part.entries) {
      page += ".TP\n" + bold(term) + "\n" + escaped(text) + "\n";
    }
  }
  return page + section("Examples") + notes(program.notes);
}

}  // namespace effnetv2::cli
