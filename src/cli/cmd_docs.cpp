#include <iostream>

#include <CLI/CLI.hpp>

#include "effnetv2/core/error.h"

#include "commands.h"
#include "manual.h"

namespace effnetv2::cli {

void add_docs(CLI::App& app, Run& run) {
  auto* verb = app.add_subcommand("docs", "write the manual page, this command line as Markdown, bash completion");
  verb->require_subcommand(1);
  const auto options = std::make_shared<CommonOptions>();
  const auto add = [&](const char* name, const char* what, std::string (*write)(const CommandText&)) {
    auto* action = verb->add_subcommand(name, what);
    add_common(*action, *options);
    // the app is read when all its commands are there
    action->callback([options, write, &app, &run] {
      run = [write, &app] {
        std::cout << write(command_text(app));
        return kExitDone;
      };
    });
  };
  add("man", "the manual page, for man(1)", man_page);
  add("markdown", "docs/cli.md", markdown_reference);
  add("completion", "a script that lets bash complete commands, options, keys and paths", bash_completion);
  verb->footer(
      "Examples:\n"
      "  source <(effnetv2 docs completion)\n"
      "  effnetv2 docs man > effnetv2.1 && man -l effnetv2.1\n"
      "  effnetv2 docs markdown > docs/cli.md");
}

}  // namespace effnetv2::cli
