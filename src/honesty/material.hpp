// What is compared: the rows of all files, and the phrases of them that are looked for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "honesty/ledger.hpp"
#include "honesty/phrase_index.hpp"
#include "picochat/honesty/honesty.hpp"
#include "picochat/tasks/rows.hpp"

namespace picochat::honesty {

struct External {
  std::string name;
  base::Path path;
  std::optional<tasks::BenchmarkFile> file;  // absent: could not be read
};

struct Material {
  std::optional<std::vector<tasks::ChatRow>> chat;  // SFT rows, then preference rows with both replies
  size_t sft_rows = 0;                              // of them
  std::optional<std::vector<tasks::EvalRow>> eval;
  std::vector<External> external;
};

// What cannot be read is a blocking finding.
Material load_material(const HonestyInputs& inputs, Ledger& ledger);

enum class Role : uint8_t { kEval, kSupport, kSft, kExternal };

// A row that a phrase comes from.
struct Owner {
  Role role;
  uint32_t file = 0;  // of Material::external
  uint32_t row = 0;
};

// Equal phrases are one, with several owners.
struct Catalogue {
  std::vector<Phrase> phrases;
  std::vector<std::vector<Owner>> owners;
};
Catalogue catalogue_of(const Material& material);

}  // namespace picochat::honesty
