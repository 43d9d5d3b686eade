#pragma once

#include <string>

#include "command_text.h"

namespace effnetv2::cli {

// Texts about the command line that are drawn from the parser itself, so that none of them can be behind it.

/// What --help prints. CLI11's own differs from version to version.
std::string help_text(const CommandText& command);

/// The manual page, for man(1).
std::string man_page(const CommandText& program);

/// docs/cli.md.
std::string markdown_reference(const CommandText& program);

/// A script for bash that completes commands, options, their values, keys of the config and paths.
std::string bash_completion(const CommandText& program);

}  // namespace effnetv2::cli
