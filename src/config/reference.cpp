#include <string>

#include <nlohmann/json.hpp>

#include "effnetv2/config/config.h"
#include "effnetv2/config/keys.h"

namespace effnetv2 {
namespace {

constexpr std::string_view kPreface = R"(# The config

Generated from the program: `effnetv2 config keys --markdown > docs/config.md`. Do not edit by hand.

A config is one JSON object. Every key has a default, so `{}` is a config; an unknown key is an error that names its
path and the nearest key. `effnetv2 config check CONFIG.json` lists every error, `effnetv2 config show CONFIG.json`
prints every key with its value.

- `//` and `/* */` comments are allowed, and so is a comma after the last item. A key may stand only once in an object.
- `"$schema"` and `"description"` are for editors and readers; see [In an editor](#in-an-editor).
- `"extends"` names a config, or a list of them, that this one builds on, relative to this file. Objects merge key by
  key; anything else replaces what was there. Later files win, the file itself last.
- `--set a.b=v` changes a key from the command line, after all files; later ones win. `v` is read as JSON, else as
  text. Objects merge as with `extends`; `a[0].b` or `a.0.b` names one element of a list.
- Paths are relative to the file they stand in, those of `--set` to the current folder. `${VAR}` and `${VAR:-default}`
  expand in them, `$${` is a literal `${`, and a path that comes out empty counts as null.
- Whole numbers may be written 100, 100.0 or 1e2.
- Keys marked *not semantic* do not change what a run computes: `resume` accepts other values of them, while it refuses
  a change of any other key.

## In an editor

The JSON Schema of all this is `docs/config.schema.json`. A config that names it, by the path from its own folder, as all
in `configs/` do, is completed, explained and checked while it is written by Visual Studio Code, with nothing to
install, and by any other editor that knows JSON Schema:

```json
{
  "$schema": "../docs/config.schema.json"
}
```

Elsewhere `effnetv2 config schema > config.schema.json` writes it beside your configs. It states draft 2020-12 and uses only what
draft-07 has too. No key of the config is required, so a file that only `"extends"` another is valid. A test holds it against the
program with some thousand configs, good and bad. They differ in this:

- Rules across keys, such as val + test below 1, are the program's alone: the other key may come from a base or from
  `--set`. So is whether a value is available yet.
- So are files and variables: whether what `"extends"` names is there and valid, `${VAR}` is set, `~` is no home.
- The program refuses a key given twice, numbers that no double can hold and halves of surrogate pairs; most validators do not.
- Comments and a comma after the last item are the program's too. Visual Studio Code marks comments unless its
  `files.associations` say that the file is `jsonc`.
)";

std::string escape(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|' || c == '<' || c == '*') {
      escaped += '\\';
    }
    escaped += c;
  }
  return escaped;
}

std::string meaning(const ConfigKey& key) {
  std::string text = escape(std::string(key.field.doc));
  if (!key.field.unit.empty()) {
    text += " Unit: " + std::string(key.field.unit) + ".";
  }
  if (!key.field.used_by.empty()) {
    text += " Only " + std::string(key.field.used_by) + ".";
  }
  if (key.field.text != nullptr) {
    text += " Form: " + escape(std::string(key.field.text->wording)) + ".";
  }
  if (key.field.semantic == Semantic::no) {
    text += " *Not semantic.*";
  } else if (key.field.semantic == Semantic::without_index) {
    text += " *The index is not semantic.*";
  }
  return text;
}

std::string default_text(const ConfigKey& key) {
  if (key.field.required) {
    return "required";
  }
  return key.type == ConfigKey::Type::object && !key.optional ? "" : "`" + key.default_value.dump() + "`";
}

void add_tables(const ConfigKey& key, const std::string& title, std::string& text) {
  text += "\n## " + title + "\n\n";
  if (!key.field.doc.empty()) {
    text += escape(std::string(key.field.doc)) + "\n\n";
  }
  text += "| key | value | default | meaning |\n|---|---|---|---|\n";
  for (const ConfigKey& child : key.children) {
    text += "| `" + child.name + "` | " + escape(child.type_text()) + " | " + default_text(child) + " | " +
            meaning(child) + " |\n";
  }
  for (const ConfigKey& child : key.children) {
    if (!child.children.empty()) {
      add_tables(child, "`" + child.path + (child.type == ConfigKey::Type::rows ? "[]" : "") + "`", text);
    }
  }
}

}  // namespace

std::string config_reference() {
  std::string text(kPreface);
  add_tables(config_keys(), "The experiment", text);
  return text;
}

}  // namespace effnetv2
