// How far an import has come: where the next row is, and everything counted until there. It is a
// function of the rows before that place alone, so an interrupted import counts as an undisturbed one.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "picochat/base/json.hpp"

namespace picochat::corpus::import {

struct Position {
  int64_t file = 0;  // index into the plan's files
  int64_t part = 0;  // in the order of reading
  int64_t row = 0;   // of the part
  friend bool operator==(const Position&, const Position&) = default;
};

// A row as the report shows it.
struct SampleRow {
  int64_t index = 0;
  std::string reason;  // "included", or why not
  int64_t characters = 0;
  std::string preview, document;
};

struct State {
  Position next;
  int64_t offset_left = 0;
  int64_t rows_seen = 0, rows_written = 0;
  int64_t characters_written = 0;  // with two for each blank line between documents
  int64_t text_bytes = 0, corpus_bytes = 0;
  int64_t repaired = 0, with_nul = 0;
  std::map<std::string, int64_t> skipped, languages;
  std::array<int64_t, 32> lengths{};    // documents of [2^i, 2^(i+1)) characters
  std::vector<int64_t> rows_of_file;    // read, by index into the plan's files
  std::vector<SampleRow> sample;        // the first rows
};

base::Json state_json(const State& state);
State state_from(const base::Json& json, const std::string& where);
base::Json sample_json(const SampleRow& row);

}  // namespace picochat::corpus::import
