#include <algorithm>
#include <map>

#include "about.hpp"
#include "picochat/base/build_info.hpp"
#include "picochat/base/text.hpp"

namespace picochat::cli {
namespace {

using base::cat;
using base::OptionField;
using base::OptionKind;

struct Word {
  std::string word, summary;
};

// What may follow each beginning of a command: "" -> run, data, ...; " data" -> preview, ...
std::map<std::string, std::vector<Word>> words_by_beginning(const std::vector<Command>& commands) {
  std::map<std::string, std::vector<Word>> all;
  for (const auto& command : commands) {
    std::string path;
    for (const auto& word : command.words) {
      auto& next = all[path];
      const bool known = std::any_of(next.begin(), next.end(), [&](const Word& other) { return other.word == word; });
      if (!known) next.push_back({word, &word == &command.words.back() ? command.summary : group_summary(word)});
      path += " " + word;
    }
  }
  return all;
}

// 'text' for a shell.
std::string quoted(const std::string& text) { return cat("'", base::replace_all(text, "'", "'\\''"), "'"); }

// Every beginning of a command, as the alternatives of a case: ' run'|' run tiny'|...
std::string beginnings(const std::map<std::string, std::vector<Word>>& words) {
  std::vector<std::string> all;
  for (const auto& [path, next] : words)
    for (const auto& word : next) all.push_back(quoted(cat(path, " ", word.word)));
  return base::join(all, "|");
}

std::vector<std::string> visible_flags(const Command& command) {
  std::vector<std::string> all{"--help"};
  for (const auto& field : *command.fields) {
    if (field.hidden) continue;
    const auto names = flag_names(field);
    all.insert(all.end(), names.begin(), names.end());
  }
  return all;
}

// One entry of zsh's _arguments for each flag.
std::string zsh_specs(const OptionField& field) {
  const bool takes_value = field.kind != OptionKind::kBool;
  std::string help = base::replace_all(base::replace_all(base::replace_all(field.help, "\\", "\\\\"), "[", "\\["), "]", "\\]");
  std::string value;
  if (takes_value) {
    value = cat(":", base::replace_all(field.name, "_", " "), ":");
    if (!field.choices.empty()) value += cat("(", base::join(field.choices, " "), ")");
    else if (field.kind == OptionKind::kText || field.kind == OptionKind::kList) value += "_files";
  }
  std::string out;
  for (const auto& flag : flag_names(field))
    out += cat(" \\\n        ", quoted(cat(field.kind == OptionKind::kList ? "*" : "", flag, takes_value ? "=" : "", "[", help, "]", value)));
  return out;
}

}  // namespace

std::string bash_completion(const std::vector<Command>& commands) {
  const auto words = words_by_beginning(commands);
  std::string next, flags, values;
  for (const auto& [path, list] : words) {
    std::vector<std::string> names;
    for (const auto& word : list) names.push_back(word.word);
    next += cat("    ", quoted(path), ") words=", quoted(base::join(names, " ")), " ;;\n");
  }
  for (const auto& command : commands) {
    flags += cat("    ", quoted(" " + command.name()), ") words=", quoted(base::join(visible_flags(command), " ")), " ;;\n");
    for (const auto& field : *command.fields) {
      if (field.kind == OptionKind::kBool) continue;
      if (field.positional && !field.choices.empty()) next += cat("    ", quoted(" " + command.name()), ") words=", quoted(base::join(field.choices, " ")), " ;;\n");
      std::vector<std::string> cases;
      for (const auto& flag : flag_names(field)) cases.push_back(quoted(cat(" ", command.name(), " ", flag)));
      values += cat("    ", base::join(cases, "|"), ") words=", quoted(base::join(field.choices, " ")), " value=1 ;;\n");
    }
  }
  return cat("# bash completion of picochat ", base::build_info().version, R"(, made from its option tables:
#   source <(picochat completion bash)
_picochat() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' words='' value='' index
  # "--flag=value" arrives as three words
  [[ $current == = ]] && current=
  [[ $previous == = ]] && previous=${COMP_WORDS[COMP_CWORD - 2]}
  for ((index = 1; index < COMP_CWORD; index++)); do
    if [[ ${COMP_WORDS[index]} == -- ]]; then  # launch: a command of its own follows
      command=
      [[ ${COMP_WORDS[index + 1]} == picochat ]] && ((index++))
      continue
    fi
    case "$command ${COMP_WORDS[index]}" in
    )", beginnings(words), R"() command+=" ${COMP_WORDS[index]}" ;;
    esac
  done
  COMPREPLY=()
  case "$command $previous" in
)", values, R"(  esac
  if [[ -z $value && $current == -* ]]; then
    case $command in
    '') words='--help --version' ;;
)", flags, R"(    esac
  elif [[ -z $value ]]; then
    case $command in
)", next, R"(    esac
  fi
  # nothing to offer: the names of files, by "-o default"
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F _picochat picochat
)");
}

std::string zsh_completion(const std::vector<Command>& commands) {
  const auto words = words_by_beginning(commands);
  std::string cases;
  for (const auto& [path, list] : words) {
    cases += cat("    (", quoted(path), ")\n      next=(");
    for (const auto& word : list) cases += cat("\n        ", quoted(cat(word.word, ":", base::replace_all(word.summary, ":", "\\:"))));
    cases += "\n      )\n      _describe command next ;;\n";
  }
  for (const auto& command : commands) {
    cases += cat("    (", quoted(" " + command.name()), ")\n      _arguments '--help[what the command takes]'");
    for (const auto& field : *command.fields) {
      if (!field.hidden) cases += zsh_specs(field);
      if (field.positional) cases += cat(" \\\n        ", quoted(cat("*:", field.name, ":", field.choices.empty() ? "_files" : cat("(", base::join(field.choices, " "), ")"))));
    }
    cases += " ;;\n";
  }
  return cat("#compdef picochat\n# zsh completion of picochat ", base::build_info().version, R"(, made from its option tables. Save it as _picochat in a
# folder of $fpath, or: source <(picochat completion zsh)
_picochat() {
  local command='' index=2
  local -a next
  while ((index < CURRENT)); do
    case "$command ${words[index]}" in
      ()", beginnings(words), R"() command+=" ${words[index]}" ;;
      (*) break ;;
    esac
    ((index++))
  done
  shift $((index - 2)) words
  ((CURRENT -= index - 2))
  case $command in
)", cases, R"(  esac
}
if [[ $funcstack[1] == _picochat ]]; then _picochat "$@"; else compdef _picochat picochat; fi
)");
}

}  // namespace picochat::cli
