#include <map>
#include <string>
#include <string_view>

#include "effnetv2/config/keys.h"
#include "effnetv2/core/version.h"

#include "manual.h"

namespace effnetv2::cli {
namespace {

/// The part that is the same for every program: what is being typed, and what may stand there.
constexpr std::string_view kScript = R"bash(
# Sets COMPREPLY to what may stand for the word $2, where a value of the kind $1 is due.
_effnetv2_value() {
  local key before paths=() some=() path
  case $1 in
    @none) ;;
    @setting)
      local -A keys=()
      _effnetv2_keys
      if [[ $2 == *=* ]]; then
        key=${2%%=*}
        before=$key=
        _effnetv2_value "${keys[$key]-}" "${2#*=}"
        COMPREPLY=("${COMPREPLY[@]/#/"$before"}")
      else
        mapfile -t COMPREPLY < <(compgen -W "${!keys[*]}" -S = -- "$2")
        compopt -o nospace 2>/dev/null
      fi
      ;;
    @config)
      mapfile -t COMPREPLY < <(compgen -f -X '!*.json' -- "$2" && true; compgen -d -- "$2")
      compopt -o filenames 2>/dev/null
      ;;
    @run) # runs, and folders of them; any folder where there are none
      mapfile -t paths < <(compgen -d -- "$2")
      for path in "${paths[@]}"; do
        if [[ -f $path/config.json ]] || compgen -G "$path/*/config.json" >/dev/null ||
          compgen -G "$path/*/*/config.json" >/dev/null; then
          some+=("$path")
        fi
      done
      ((${#some[@]} == 0)) || paths=("${some[@]}")
      COMPREPLY=("${paths[@]}")
      compopt -o filenames 2>/dev/null
      ;;
    @directory)
      mapfile -t COMPREPLY < <(compgen -d -- "$2")
      compopt -o filenames 2>/dev/null
      ;;
    @file)
      mapfile -t COMPREPLY < <(compgen -f -- "$2")
      compopt -o filenames 2>/dev/null
      ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2") ;;
  esac
}

_effnetv2() {
  local line=${COMP_LINE:0:COMP_POINT} words=() word rest i
  local command=effnetv2 commands='' value='' given=0 sets='' kind typed before
  local -A options=()
  local -a arguments=()
  COMPREPLY=()

  # bash breaks words at = and : as well; here they are whole, and the last one ends at the cursor
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    rest=${line#"${line%%[![:space:]]*}"}
    [[ $rest == "$word"* ]] || word=$rest
    if ((${#words[@]} > 0)) && [[ $rest == "$line" ]]; then
      words[-1]+=$word
    else
      words+=("$word")
    fi
    line=${rest#"$word"}
  done
  typed=${words[-1]}

  _effnetv2_command "$command"
  for word in "${words[@]:1:${#words[@]}-2}"; do
    if [[ -n $value ]]; then
      [[ $value == @setting ]] && sets=yes
      value=''
    elif [[ $word == -* ]]; then
      sets=''
      [[ $word == *=* ]] || value=${options[$word]-}
    elif [[ " $commands " == *" $word "* ]]; then
      command+=" $word"
      _effnetv2_command "$command"
    elif [[ -z $sets || $word != *=* ]]; then
      sets=''
      given=$((given + 1))
    fi
  done

  if [[ -n $value ]]; then
    _effnetv2_value "$value" "$typed"
  elif [[ $typed == --*=* ]]; then
    before=${typed%%=*}=
    _effnetv2_value "${options[${typed%%=*}]:-@none}" "${typed#*=}"
    COMPREPLY=("${COMPREPLY[@]/#/"$before"}")
  elif [[ $typed == -* ]]; then
    _effnetv2_value "${!options[*]}" "$typed"
  elif [[ -n $commands ]]; then
    _effnetv2_value "$commands" "$typed"
  elif [[ -n $sets && -n $typed ]] && _effnetv2_value @setting "$typed" && ((${#COMPREPLY[@]} > 0)); then
    :
  elif ((${#arguments[@]} > 0)); then
    kind=${arguments[given < ${#arguments[@]} ? given : ${#arguments[@]} - 1]}
    if ((given < ${#arguments[@]})) || [[ $kind == *... ]]; then
      _effnetv2_value "${kind%...}" "$typed"
    fi
  fi
  # readline replaces only the part of the word that it sees, $2
  before=${typed%"$2"}
  COMPREPLY=("${COMPREPLY[@]#"$before"}")
}

complete -o bashdefault -F _effnetv2 effnetv2
)bash";

/// What may stand for an option's value or an argument: "@" and a kind of its own, or the words themselves.
std::string kind_of(const std::string& value, const std::vector<std::string>& choices) {
  static const std::map<std::string, std::string> kinds{{"CONFIG.json", "@config"},
                                                        {"RUN_DIR", "@run"},
                                                        {"DIR", "@directory"},
                                                        {"KEY=VALUE", "@setting"},
                                                        {"DEVICE", "auto cpu cuda"},
                                                        {"FILE", "@file"},
                                                        {"PATH", "@file"},
                                                        {"IN", "@file"},
                                                        {"OUT", "@file"},
                                                        {"IMAGES", "@file"},
                                                        {"LABELS", "@file"}};
  std::string words;
  for (const auto& choice : choices) {
    words += (words.empty() ? "" : " ") + choice;
  }
  const auto kind = kinds.find(value);
  return !words.empty() ? words : kind != kinds.end() ? kind->second : "@none";
}

std::string quoted(const std::string& text) {
  return "'" + text + "'";
}

std::string branch(const CommandText& command) {
  std::string text = "    " + quoted(command.name) + ")\n      commands='";
  for (const CommandText& below : command.commands) {
    text += (&below == &command.commands.front() ? "" : " ") + below.name.substr(command.name.size() + 1);
  }
  text += "'\n      options=(";
  const char* between = "";
  for (const OptionText& option : command.options) {
    for (const auto& name : option.names) {
      text += between + ("[" + name + "]=") + quoted(option.value.empty() ? "" : kind_of(option.value, option.choices));
      between = " ";
    }
  }
  text += ")\n      arguments=(";
  between = "";
  for (const OptionText& argument : command.arguments) {
    text += between + quoted(kind_of(argument.names.front(), argument.choices) + (argument.repeatable ? "..." : ""));
    between = " ";
  }
  text += ")\n      ;;\n";
  for (const CommandText& below : command.commands) {
    text += branch(below);
  }
  return text;
}

/// What `--set path=` takes, as far as that can be listed.
std::string kind_of(const ConfigKey& key) {
  if (key.field.path) {
    return "@file";
  }
  std::vector<std::string> choices = key.choices;
  if (key.type == ConfigKey::Type::boolean) {
    choices = {"true", "false"};
  }
  if (key.optional) {
    choices.emplace_back(key.field.absent_is_auto ? "auto" : "null");
  }
  return kind_of("", choices);
}

}  // namespace

std::string bash_completion(const CommandText& program) {
  std::string script = "# bash completion for effnetv2 " + version() +
                       ", written by \"effnetv2 docs completion\" -*- shell-script -*-\n"
                       "# shellcheck shell=bash disable=SC2034,SC2207\n\n"
                       "# What the command $1 takes: commands, options with what follows them, arguments.\n"
                       "_effnetv2_command() {\n  case $1 in\n" +
                       branch(program) +
                       "  esac\n}\n\n# The keys of a config and what they may be.\n_effnetv2_keys() {\n  keys=(\n";
  for (const ConfigKey* key : leaf_keys()) {
    if (key->path.find('[') == std::string::npos) {  // a row of a table has no path that --set could name
      script += "    [" + key->path + "]=" + quoted(kind_of(*key)) + "\n";
    }
  }
  return script + "  )\n}\n" + std::string(kScript);
}

}  // namespace effnetv2::cli
