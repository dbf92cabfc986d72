#include "corpus/import/state.hpp"

namespace picochat::corpus::import {

using base::Json;

Json sample_json(const SampleRow& row) {
  return {{"index", row.index}, {"included", row.reason == "included"}, {"reason", row.reason}, {"num_characters", row.characters},
          {"preview", row.preview}, {"document_path", row.document.empty() ? Json(nullptr) : Json(row.document)}};
}

Json state_json(const State& state) {
  Json sample = Json::array();
  for (const auto& row : state.sample) sample.push_back(sample_json(row));
  return {{"file", state.next.file}, {"part", state.next.part}, {"row", state.next.row}, {"offset_left", state.offset_left},
          {"rows_seen", state.rows_seen}, {"rows_written", state.rows_written}, {"characters_written", state.characters_written},
          {"text_bytes", state.text_bytes}, {"corpus_bytes", state.corpus_bytes}, {"repaired", state.repaired}, {"with_nul", state.with_nul},
          {"skipped", state.skipped}, {"languages", state.languages}, {"lengths", state.lengths}, {"rows_of_file", state.rows_of_file},
          {"sample", std::move(sample)}};
}

State state_from(const Json& json, const std::string& where) {
  auto number = [&](const char* key) { return base::get_int(json, key, where); };
  State state;
  state.next = {number("file"), number("part"), number("row")};
  state.offset_left = number("offset_left");
  state.rows_seen = number("rows_seen");
  state.rows_written = number("rows_written");
  state.characters_written = number("characters_written");
  state.text_bytes = number("text_bytes");
  state.corpus_bytes = number("corpus_bytes");
  state.repaired = number("repaired");
  state.with_nul = number("with_nul");
  state.skipped = json.at("skipped").get<std::map<std::string, int64_t>>();
  state.languages = json.at("languages").get<std::map<std::string, int64_t>>();
  state.lengths = json.at("lengths").get<std::array<int64_t, 32>>();
  state.rows_of_file = json.at("rows_of_file").get<std::vector<int64_t>>();
  for (const auto& row : json.at("sample"))
    state.sample.push_back({base::get_int(row, "index", where), base::get_string(row, "reason", where), base::get_int(row, "num_characters", where),
                            base::get_string(row, "preview", where), row.at("document_path").is_null() ? "" : base::get_string(row, "document_path", where)});
  return state;
}

}  // namespace picochat::corpus::import
