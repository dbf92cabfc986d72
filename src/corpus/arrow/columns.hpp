// The columns of a Parquet file as they can be asked for, and a column's values within a batch of rows.
#pragma once

#include <arrow/array.h>
#include <arrow/extension_type.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <parquet/arrow/schema.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "picochat/corpus/row_file.hpp"

namespace picochat::corpus {

using arrow::Type;
using parquet::arrow::SchemaField;

inline constexpr int kMaxDepth = 32;  // of structs in structs that are looked into

inline bool is_string_type(const arrow::DataType& type) {
  switch (type.id()) {
    case Type::STRING: case Type::LARGE_STRING: case Type::STRING_VIEW:
    case Type::BINARY: case Type::LARGE_BINARY: case Type::BINARY_VIEW: return true;
    case Type::DICTIONARY: return is_string_type(*static_cast<const arrow::DictionaryType&>(type).value_type());
    case Type::EXTENSION: return is_string_type(*static_cast<const arrow::ExtensionType&>(type).storage_type());
    default: return false;
  }
}

// A column that can be asked for: where it hangs in the schema and which leaves it needs.
struct Node {
  Column column;
  int root = 0;                     // top-level field
  std::vector<std::string> inside;  // names of the members on the way down
  std::vector<int> leaves;
};

inline void collect_leaves(const SchemaField& field, std::vector<int>& leaves, int depth) {
  if (depth > kMaxDepth) return;
  if (field.is_leaf()) leaves.push_back(field.column_index);
  for (const auto& child : field.children) collect_leaves(child, leaves, depth + 1);
}

inline void collect_nodes(const SchemaField& field, Node parent, std::vector<Node>& nodes, int depth) {
  Node node = std::move(parent);
  node.column = {.name = (node.column.name.empty() ? "" : node.column.name + ".") + field.field->name(),
                 .type = field.field->type()->ToString(),
                 .is_text = is_string_type(*field.field->type())};
  collect_leaves(field, node.leaves, depth);
  nodes.push_back(node);
  if (field.field->type()->id() != Type::STRUCT || depth >= kMaxDepth) return;
  node.leaves.clear();
  for (const auto& child : field.children) {
    Node below = node;
    below.inside.push_back(child.field->name());
    collect_nodes(child, std::move(below), nodes, depth + 1);
  }
}

// A name of a top-level column wins over one that reaches into a struct.
inline const Node* find(const std::vector<Node>& nodes, const std::string& name) {
  const Node* found = nullptr;
  for (const Node& node : nodes)
    if (node.column.name == name && (!found || node.inside.size() < found->inside.size())) found = &node;
  return found;
}

// Strings and whole numbers can be the id of a document.
inline bool is_id(const Node& node) {
  const std::string& type = node.column.type;
  const bool whole = type == "int64" || type == "int32" || type == "uint64" || type == "uint32";
  return node.inside.empty() && (whole || type == "string" || type == "large_string");
}

// A column within one batch: the array, and the structs around it, any of which may be null.
struct Slot {
  std::vector<std::shared_ptr<arrow::Array>> around;
  std::shared_ptr<arrow::Array> array;
  bool is_null(int64_t row) const {
    auto null_there = [row](const std::shared_ptr<arrow::Array>& parent) { return parent->IsNull(row); };
    return array->IsNull(row) || std::any_of(around.begin(), around.end(), null_there);
  }
};

inline std::optional<std::string_view> string_at(const arrow::Array& array, int64_t row) {
  switch (array.type_id()) {
    case Type::STRING:
    case Type::BINARY: return static_cast<const arrow::BinaryArray&>(array).GetView(row);
    case Type::LARGE_STRING:
    case Type::LARGE_BINARY: return static_cast<const arrow::LargeBinaryArray&>(array).GetView(row);
    case Type::STRING_VIEW:
    case Type::BINARY_VIEW: return static_cast<const arrow::BinaryViewArray&>(array).GetView(row);
    case Type::DICTIONARY: {
      const auto& coded = static_cast<const arrow::DictionaryArray&>(array);
      const int64_t index = coded.GetValueIndex(row);
      if (index < 0 || index >= coded.dictionary()->length() || coded.dictionary()->IsNull(index)) return {};
      return string_at(*coded.dictionary(), index);
    }
    case Type::EXTENSION: return string_at(*static_cast<const arrow::ExtensionArray&>(array).storage(), row);
    default: return {};
  }
}

}  // namespace picochat::corpus
