#include "parser.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <map>
#include <memory>

#include "picochat/base/build_info.hpp"
#include "picochat/base/text.hpp"

namespace picochat::cli {
namespace {

using base::cat;
using base::Json;

std::string negated(const std::string& flag) { return "--no-" + flag.substr(2); }

std::string help_of(const base::OptionField& field, const Json& fallback) {
  std::string text = field.help;
  if (!field.choices.empty()) text += cat(" {", base::join(field.choices, ", "), "}");
  const bool worth_saying = !fallback.is_null() && !fallback.is_array() && fallback != "" && !field.required;
  if (worth_saying) text += cat(" [", fallback.is_string() ? fallback.get<std::string>() : base::dump(fallback, -1), "]");
  if (field.required) text += " (required)";
  return text;
}

void add_boolean(CLI::App& app, const base::OptionField& field, const Json& fallback, Json& flags) {
  auto set = [&flags, name = field.name](bool value) { return [&flags, name, value](std::int64_t) { flags[name] = value; }; };
  std::string on = field.flag(), off = field.no_flag();
  for (const auto& alias : field.aliases) on += "," + alias, off += "," + negated(alias);
  app.add_flag_function(on, set(true), help_of(field, fallback))->group(field.hidden ? "" : field.group);
  app.add_flag_function(off, set(false))->group("");
}

void add_value(CLI::App& app, const base::OptionField& field, const Json& fallback, Json& flags) {
  std::string names = field.positional ? cat(field.name, ",", field.flag()) : field.flag();
  for (const auto& alias : field.aliases) names += "," + alias;
  CLI::Option* option = nullptr;
  if (field.kind == base::OptionKind::kList) {
    option = app.add_option_function<std::vector<std::string>>(names, [&flags, &field](const std::vector<std::string>& values) {
      flags[field.name] = values;
    }, help_of(field, fallback));
    option->expected(field.positional ? -1 : 1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  } else {
    option = app.add_option_function<std::string>(names, [&flags, &field](const std::string& text) {
      flags[field.name] = base::parse_option_text(field, text);
    }, help_of(field, fallback));
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
  option->group(field.hidden ? "" : field.group)->type_name(field.metavar.empty() ? "" : field.metavar);
}

std::vector<std::string> flags_of(const Command& command) {
  std::vector<std::string> all{"--help"};
  for (const auto& field : *command.fields) {
    const auto names = flag_names(field);
    all.insert(all.end(), names.begin(), names.end());
  }
  return all;
}

[[noreturn]] void refuse_extra(const Command& command, const std::string& word) {
  std::string name = word.substr(0, word.find('='));
  const auto known = flags_of(command);
  const std::string near = base::closest(name, known);
  throw base::usage_error({.what = word.starts_with("-") ? cat("unknown flag ", name) : cat("unexpected argument \"", word, "\""),
                           .where = cat("picochat ", command.name()),
                           .remedy = near.empty() ? cat("see picochat ", command.name(), " --help") : cat("did you mean ", near, "?")});
}

// The first word that leads nowhere, with the words that would.
[[noreturn]] void refuse_words(const std::vector<Command>& commands, int argc, const char* const* argv) {
  std::vector<std::string> given, next;
  for (int i = 1; i < argc && argv[i][0] != '-'; ++i) given.push_back(argv[i]);
  size_t depth = 0;
  for (;; ++depth) {
    next.clear();
    for (const auto& command : commands)
      if (command.words.size() > depth && std::equal(given.begin(), given.begin() + static_cast<ptrdiff_t>(depth), command.words.begin()))
        if (std::find(next.begin(), next.end(), command.words[depth]) == next.end()) next.push_back(command.words[depth]);
    if (depth >= given.size() || std::find(next.begin(), next.end(), given[depth]) == next.end()) break;
  }
  std::string prefix = "picochat";
  for (size_t i = 0; i < depth; ++i) prefix += " " + given[i];
  const std::string near = depth < given.size() ? base::closest(given[depth], next) : "";
  throw base::usage_error({.what = depth < given.size() ? cat("unknown command \"", given[depth], "\"") : "the command is not complete", .where = prefix,
                           .expected = cat("one of ", base::join(next, ", ")),
                           .remedy = near.empty() ? cat("see ", prefix, " --help") : cat("did you mean ", prefix, " ", near, "?")});
}

// The list field that takes what stands after "--": another command with flags of its own.
const base::OptionField* rest_field(const Command& command) {
  for (const auto& field : *command.fields)
    if (field.positional && field.kind == base::OptionKind::kList && field.name == "command") return &field;
  return nullptr;
}

}  // namespace

Parsed parse(const std::vector<Command>& commands, int argc, const char* const* argv) {
  const auto separator = std::find(argv + 1, argv + argc, std::string_view("--"));
  const std::vector<std::string> rest(std::min(separator + 1, argv + argc), argv + argc);
  argc = static_cast<int>(separator - argv);
  CLI::App app("picochat turns text into a small language model you can publish, with evidence for every claim.", "picochat");
  app.set_version_flag("--version", cat("picochat ", base::build_info().version));
  app.require_subcommand(1);
  Parsed parsed;
  std::map<const Command*, CLI::App*> leaves;
  std::map<std::string, CLI::App*> groups;  // "data" -> its app
  for (const auto& command : commands) {
    CLI::App* at = &app;
    std::string path;
    for (const auto& word : command.words) {
      path += " " + word;
      CLI::App*& next = groups[path];
      const bool leaf = &word == &command.words.back();
      if (!next) {
        next = at->add_subcommand(word, leaf ? command.summary : group_summary(word));
        if (!leaf) next->require_subcommand(1);
      }
      at = next;
    }
    at->allow_extras();
    for (const auto& field : *command.fields) {
      const Json fallback = command.defaults.contains(field.name) ? command.defaults.at(field.name) : Json(nullptr);
      field.kind == base::OptionKind::kBool ? add_boolean(*at, field, fallback, parsed.flags) : add_value(*at, field, fallback, parsed.flags);
    }
    leaves[&command] = at;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForVersion&) {
    parsed.text = cat("picochat ", base::build_info().version, "\n");
    return parsed;
  } catch (const CLI::CallForHelp&) {
    parsed.text = app.help();  // of the subcommand that was named, with its full name
    return parsed;
  } catch (const CLI::CallForAllHelp&) {
    parsed.text = app.help("", CLI::AppFormatMode::All);
    return parsed;
  } catch (const CLI::RequiredError&) {
    refuse_words(commands, argc, argv);
  } catch (const CLI::ExtrasError&) {
    refuse_words(commands, argc, argv);
  } catch (const CLI::ParseError& error) {
    throw base::usage_error({.what = error.what(), .where = "command line", .remedy = "see picochat --help"});
  }
  for (const auto& command : commands) {
    if (!leaves.at(&command)->parsed()) continue;
    if (const auto* field = rest_field(command); field && !rest.empty()) parsed.flags[field->name] = rest;
    else if (!rest.empty()) refuse_extra(command, rest.front());
    const auto extras = leaves.at(&command)->remaining();
    if (!extras.empty()) refuse_extra(command, extras.front());
    for (const auto& field : *command.fields)
      if (field.required && !parsed.flags.contains(field.name))
        throw base::usage_error({.what = cat(field.flag(), " is required"), .where = cat("picochat ", command.name()), .expected = field.help,
                                 .remedy = cat("see picochat ", command.name(), " --help")});
    parsed.command = &command;
    return parsed;
  }
  refuse_words(commands, argc, argv);
}

}  // namespace picochat::cli
