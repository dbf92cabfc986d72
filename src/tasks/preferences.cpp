#include "picochat/tasks/preferences.hpp"

#include "row_fields.hpp"

namespace picochat::tasks {
namespace {

const std::vector<std::string>& preference_fields() {
  static const std::vector<std::string> names = {"user", "prompt", "system", "chosen", "preferred", "winner", "rejected", "dispreferred", "loser",
                                                 "category", "group", "group_id", "template"};
  return names;
}

std::string reply(Fields& fields, std::initializer_list<const char*> names) {
  auto text = fields.take(names);
  if (!text)
    throw fields.fault(cat("field '", *names.begin(), "' is missing"), "a non-empty string", "", "a row needs 'user', 'chosen' and 'rejected'");
  return fields.as_text(*text, *names.begin());
}

}  // namespace

std::vector<ChatTurn> PreferenceRow::with(const std::string& reply) const {
  std::vector<ChatTurn> turns = prompt;
  turns.push_back({"assistant", reply});
  return turns;
}

PreferenceRow parse_preference_row(const Json& object, const std::string& where) {
  Fields fields(object, where);
  fields.refuse_misspelt(preference_fields());
  PreferenceRow row;
  if (std::string system = fields.text({"system"}, ""); !system.empty()) row.prompt.push_back({"system", std::move(system)});
  row.prompt.push_back({"user", reply(fields, {"user", "prompt"})});
  row.chosen = reply(fields, {"chosen", "preferred", "winner"});
  row.rejected = reply(fields, {"rejected", "dispreferred", "loser"});
  if (row.chosen == row.rejected) throw fields.fault("the two replies are equal", "a 'rejected' that differs from 'chosen'", row.chosen, "delete the row: it prefers nothing");
  row.category = fields.text({"category"}, row.category);
  row.group = fields.text({"group", "group_id", "template"}, "");
  return row;
}

std::vector<PreferenceRow> read_preference_rows(const base::Path& path) {
  return read_rows<PreferenceRow>(path, parse_preference_row, "preference", "write rows with 'user', 'chosen' and 'rejected'");
}

}  // namespace picochat::tasks
