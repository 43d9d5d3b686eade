#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace effnetv2::cli {

/// The same arguments with one --set before each of several settings that follow one: `--set a=1 b.c=2` is
/// `--set a=1 --set b.c=2`. What ends the list is an option, or what is no KEY=VALUE.
std::vector<std::string> with_repeated_set(const std::vector<std::string>& args);

/// What is wrong with the command line, for the user: names a mistyped verb or option with the nearest known one,
/// else CLI11's own words. args: without the program's name.
std::string explain_usage_error(const CLI::App& app, const std::vector<std::string>& args,
                                const CLI::ParseError& error);

}  // namespace effnetv2::cli
