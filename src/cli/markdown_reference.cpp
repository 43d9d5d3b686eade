#include "manual.h"

namespace effnetv2::cli {
namespace {

/// Plain text in a cell of a table.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += std::string_view("\\`*_<|[").find(c) != std::string_view::npos ? std::string{'\\', c} : std::string(1, c);
  }
  return out;
}

std::string rows(const std::vector<OptionText>& options) {
  std::string out;
  for (const OptionText& option : options) {
    out += "| `" + option.spelling() + "` | " + escaped(option.meaning()) + " |\n";
  }
  return out;
}

std::string table(const std::string& rows) {
  return rows.empty() ? rows : "| | |\n|---|---|\n" + rows + "\n";
}

std::string notes(const std::string& text) {
  std::string out;
  for (const NoteBlock& block : note_blocks(text)) {
    if (!block.code) {
      out += escaped(block.lines.front()) + "\n\n";
      continue;
    }
    out += "```sh\n";
    for (const auto& line : block.lines) {
      out += line + "\n";
    }
    out += "```\n\n";
  }
  return out;
}

}  // namespace

std::string markdown_reference(const CommandText& program) {
  const auto common = common_options(program);
  std::string page =
      "# Command line\n\nWritten by `effnetv2 docs markdown`; a test compares. Results go to stdout, progress and "
      "messages to "
      "stderr.\n\n" +
      notes(program.notes) + table(rows(program.options)) + "Every command takes these:\n\n" + table(rows(common));
  for (const CommandText* command : all_commands(program)) {
    page += "## " + command->name.substr(program.name.size() + 1) + "\n\n`" + command->usage() +
            "`: " + escaped(command->doc) + ".\n\n" +
            table(rows(command->arguments) + rows(specific_options(*command, common))) + notes(command->notes);
  }
  for (const ManualSection& part : manual_sections()) {
    std::string entries;
    for (const auto& [term, text] : part.entries) {
      entries += "| `" + std::string(term) + "` | " + escaped(text) + " |\n";
    }
    page += "## " + std::string(part.title) + "\n\n" + table(entries);
  }
  page.pop_back();
  return page;
}

}  // namespace effnetv2::cli
