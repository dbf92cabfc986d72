// A document: the unit that splits, duplicate checks and contamination checks work on. It is one row
// of a JSON Lines file or one whole text file, never a file of many rows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace picochat::corpus {

struct Document {
  std::string text;          // bytes as the source has them; see docs/formats/corpus.md for invalid UTF-8
  std::string id;            // the row's "id", else "<file>:<line>"; for a text file its name
  std::string source_label;  // the recipe's label, else "corpus"
  std::string file;          // the file's name as manifests show it
};

// Appends `text` lower-cased (Unicode simple mapping), with every run of white space as one space and
// none at the ends. Bytes that are not UTF-8 are kept. Two documents are exact duplicates when this
// text is equal.
void append_normalized(std::string& out, std::string_view text);

// Hash of the normalised text. Equal on every host.
uint64_t normalized_hash(std::string_view text, uint64_t seed = 0);

// The key that decides which documents are held out: it depends on the normalised text and the seed
// alone, so the split stays when documents are added, removed or reordered, and exact duplicates
// always fall on the same side.
uint64_t document_key(std::string_view text, uint64_t seed);
inline uint64_t document_key(const Document& document, uint64_t seed) { return document_key(document.text, seed); }

}  // namespace picochat::corpus
