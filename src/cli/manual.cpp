#include "about.hpp"
#include "picochat/base/build_info.hpp"
#include "picochat/base/text.hpp"

namespace picochat::cli {
namespace {

using base::cat;
using base::Json;

// Text for troff: no backslash, no hyphen that becomes a dash, no line that begins like a request.
std::string plain(std::string text) {
  text = base::replace_all(base::replace_all(std::move(text), "\\", "\\e"), "-", "\\-");
  if (!text.empty() && (text.front() == '.' || text.front() == '\'')) text.insert(0, "\\&");
  return text;
}

std::string quoted(const std::string& text) { return cat("\"", base::replace_all(plain(text), "\"", "\\(dq"), "\""); }

const char* value_name(const base::OptionField& field) {
  switch (field.kind) {
    case base::OptionKind::kBool: return "";
    case base::OptionKind::kInt: return "N";
    case base::OptionKind::kNumber: return "X";
    default: return "TEXT";
  }
}

std::string option(const base::OptionField& field, const Json& fallback) {
  std::vector<std::string> names;
  if (field.positional) names.push_back(cat("\\fR\\fI", field.name, "\\fR"));
  for (const auto& name : flag_names(field)) names.push_back(plain(name));
  std::string value = field.metavar.empty() ? value_name(field) : field.metavar;
  if (!field.choices.empty() && field.kind == base::OptionKind::kText) value = base::join(field.choices, "|");
  std::string help = field.help;
  const bool worth_saying = !fallback.is_null() && !fallback.is_array() && fallback != "" && fallback != false && !field.required;
  if (worth_saying) help += cat(" (by default ", fallback.is_string() ? fallback.get<std::string>() : base::dump(fallback, -1), ")");
  if (field.required) help += " (required)";
  if (field.kind == base::OptionKind::kList && !field.positional && help.find("repeatable") == std::string::npos) help += " (repeatable)";
  return cat(".TP\n\\fB", base::join(names, "\\fR, \\fB"), "\\fR", value.empty() ? "" : cat(" \\fI", plain(value), "\\fR"), "\n", plain(help), "\n");
}

std::string command_section(const Command& command) {
  std::string text = cat(".SS ", quoted("picochat " + command.name()), "\n", plain(command.summary), "\n"), group;
  for (const auto& field : *command.fields) {
    if (field.hidden) continue;
    if (field.group != group && field.group != "Options") text += cat(".PP\n\\fI", plain(field.group), "\\fR\n");
    group = field.group;
    text += option(field, command.defaults.value(field.name, Json()));
  }
  return text;
}

}  // namespace

std::string manual_page(const std::vector<Command>& commands) {
  std::string text = cat(".TH PICOCHAT 1 \"\" ", quoted(cat("picochat ", base::build_info().version)), " \"User Commands\"\n", R"(.SH NAME
picochat \- text in, a small language model out, with evidence for every claim
.SH SYNOPSIS
.B picochat
.I COMMAND
.RI [ OPTIONS ]
.SH DESCRIPTION
Reads a corpus, trains a tokenizer and a transformer, fine\-tunes it on chat rows, evaluates it, and judges whether the result may be called a release.
.B picochat run tiny
does all of it; the same command again goes on where it stopped. Results are written to standard output, progress and errors to standard error.
.PP
Every boolean option has a
.B \-\-no\-
form. A flag goes before a preset, a preset before a default.
.SH COMMANDS
)");
  for (const auto& command : commands) text += command_section(command);
  return text + R"(.SH EXIT STATUS
.TP
.B 0
done
.TP
.B 1
an error of the program itself
.TP
.B 2
usage: an unknown command, flag or value
.TP
.B 3
a check or a gate blocked
.TP
.B 4
bad input: data or files that cannot be used as they are
.TP
.B 5
environment: device, disk, memory, network
.TP
.BR 130 ", " 143
interrupted, after what had to be saved was saved
.SH ENVIRONMENT
.TP
.B NO_COLOR
no colours on a terminal
.TP
.B HF_TOKEN
the token that is sent to the hub
.TP
.B PICOCHAT_API_KEY
the key that the API server asks for
.TP
.BR RANK ", " WORLD_SIZE ", " LOCAL_RANK ", " MASTER_ADDR ", " MASTER_PORT
set by launchers of several processes
.SH EXAMPLES
.nf
picochat run tiny \-\-scale tiny\-cpu \-\-corpus\-input my\-texts/ \-\-out\-dir runs/mine
picochat run verify runs/mine
picochat chat runs/mine
.fi
)";
}

}  // namespace picochat::cli
