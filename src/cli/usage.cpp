#include "usage.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <optional>
#include <system_error>

#include <CLI/CLI.hpp>

#include "effnetv2/core/text.h"

#include "command_text.h"

namespace effnetv2::cli {
namespace {

using Args = std::vector<std::string>;

std::vector<const CLI::App*> verbs_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* verb) { return !verb->get_name().empty(); });
}

/// Every option's spellings, those of option groups (nameless subcommands) too.
void collect_options(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::Option* option : app.get_options({})) {
    for (const auto& name : option->get_lnames()) {
      names.push_back("--" + name);
    }
    for (const auto& name : option->get_snames()) {
      names.push_back("-" + name);
    }
  }
  for (const CLI::App* group : app.get_subcommands([](const CLI::App* sub) { return sub->get_name().empty(); })) {
    collect_options(*group, names);
  }
}

bool looks_like_option(const std::string& arg) {
  return arg.size() >= 2 && arg[0] == '-' && std::isdigit(static_cast<unsigned char>(arg[1])) == 0 && arg[1] != '.';
}

bool knows_option(const std::vector<std::string>& names, const std::string& option) {
  if (option.starts_with("--")) {
    return std::ranges::find(names, option) != names.end();
  }
  return std::ranges::find(names, option.substr(0, 2)) != names.end();  // -q, -k5, -qv
}

std::optional<std::string> unknown_option(const CLI::App& verb, const std::string& arg) {
  std::vector<std::string> names;
  collect_options(verb, names);
  const std::string option = arg.substr(0, arg.find('='));
  if (!looks_like_option(option) || knows_option(names, option)) {
    return std::nullopt;
  }
  std::string message = "unknown option " + option;
  const std::string guess = option.starts_with("--") ? nearest(option, names) : "";
  return guess.empty() ? message : message + ", did you mean " + guess + "?";
}

std::vector<std::string> names_of(const std::vector<const CLI::App*>& verbs) {
  std::vector<std::string> names;
  names.reserve(verbs.size());
  for (const CLI::App* verb : verbs) {
    names.push_back(verb->get_name());
  }
  return names;
}

struct Finding {
  std::string message;
  const CLI::App* app;  ///< whose --help to read
};

Finding find_mistake(const CLI::App& app, const Args& args, std::size_t first, const std::string& otherwise) {
  const auto verbs = verbs_of(app);
  for (std::size_t i = first; i < args.size() && args[i] != "--"; ++i) {
    if (auto message = unknown_option(app, args[i])) {
      return {*message, &app};
    }
    if (verbs.empty() || looks_like_option(args[i])) {
      continue;
    }
    const auto verb = std::ranges::find(verbs, args[i], [](const CLI::App* v) { return v->get_name(); });
    if (verb != verbs.end()) {
      return find_mistake(**verb, args, i + 1, otherwise);
    }
    const auto names = names_of(verbs);
    const std::string guess = nearest(args[i], names);
    return {"unknown command " + args[i] +
                (guess.empty() ? "; the commands are " + join_words(names) : ", did you mean " + guess + "?"),
            &app};
  }
  if (!verbs.empty()) {
    return {path_of(app) + " needs a command: " + join_words(names_of(verbs)), &app};
  }
  return {otherwise, &app};
}

bool is_setting(const std::string& arg) {
  const auto end = arg.find('=');
  return end != std::string::npos && end > 0 && arg.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.") >= end;
}

/// CLI11 takes 010 for 8, 0x10 for 16 and the largest number for one that is larger.
template <typename Integer>
std::string refuse_other_than_decimal(const std::string& text) {
  Integer value = 0;
  const std::errc error = std::from_chars(text.data(), text.data() + text.size(), value).ec;
  return error == std::errc() && std::to_string(value) == text
             ? ""
             : "must be a whole number in decimal digits, such as 10, of at most 64 bits, received " + text;
}

std::string refuse_empty(const std::string& text) {
  return text.empty() ? "must not be empty" : "";
}

}  // namespace

Args with_repeated_set(const Args& args) {
  Args result;
  bool in_list = false;
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "--set" && i + 1 < args.size()) {
      result.insert(result.end(), {args[i], args[i + 1]});
      in_list = true;
      ++i;
      continue;
    }
    in_list = in_list && is_setting(args[i]);
    if (in_list) {
      result.emplace_back("--set");
    }
    result.push_back(args[i]);
  }
  return result;
}

Args as_given(const Args& args) {
  Args result;
  for (const std::string& arg : args) {
    if (arg.starts_with("--") && arg.find('=') == arg.size() - 1) {
      result.insert(result.end(), {arg.substr(0, arg.size() - 1), ""});
    } else if ((arg.starts_with('[') && arg.ends_with(']')) || arg == "{}") {
      result.push_back("./" + arg);
    } else {
      result.push_back(arg);
    }
  }
  return result;
}

void add_value_rules(CLI::App& app) {
  for (CLI::Option* option : app.get_options({})) {
    const bool is_flag = option->get_items_expected_max() == 0;
    if (!is_flag && !option->check_lname("set")) {  // --set says all that is wrong with its values together
      option->check(refuse_empty);
    }
    const std::string type = option->get_type_name();
    if (type.starts_with("INT")) {
      option->check(refuse_other_than_decimal<std::int64_t>);
    } else if (type.starts_with("UINT")) {
      option->check(refuse_other_than_decimal<std::uint64_t>);
    }
  }
  for (CLI::App* command : app.get_subcommands({})) {
    add_value_rules(*command);
  }
}

std::string explain_usage_error(const CLI::App& app, const Args& args, const CLI::ParseError& error) {
  const Finding finding = find_mistake(app, args, 0, error.what());
  return finding.message + "\nsee " + path_of(*finding.app) + " --help";
}

}  // namespace effnetv2::cli
