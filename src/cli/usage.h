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

/// The same arguments so that CLI11 takes each as it is: `--x=` is split into `--x` and an empty value, where it would
/// take the next argument, which may be an option, for the value; `[x]` becomes `./[x]`, as it would take the brackets
/// off and the path of another file for it.
std::vector<std::string> as_given(const std::vector<std::string>& args);

/// Rules for every value of every option and argument of `app` and its commands, once all are declared: none but
/// --set's may be empty, as an unset variable of the shell is, and would else count as not given; a whole number is
/// decimal and fits into 64 bits.
void add_value_rules(CLI::App& app);

/// What is wrong with the command line, for the user: names a mistyped verb or option with the nearest known one,
/// else CLI11's own words. args: without the program's name.
std::string explain_usage_error(const CLI::App& app, const std::vector<std::string>& args,
                                const CLI::ParseError& error);

}  // namespace effnetv2::cli
