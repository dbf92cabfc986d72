#ifdef PICOCHAT_ARROW
#include "corpus/arrow/json.hpp"

#include <arrow/array.h>
#include <arrow/extension_type.h>
#include <arrow/scalar.h>
#include <arrow/type.h>

#include <charconv>
#include <cmath>

#include "corpus/json_text.hpp"

namespace picochat::corpus {
namespace {

using arrow::Type;

template <typename Number>
void append_number(std::string& out, Number value) {
  if constexpr (std::is_floating_point_v<Number>) {
    if (!std::isfinite(value)) {
      out += "null";
      return;
    }
  }
  char text[40];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  out.append(text, end);
}

template <typename ArrayType>
void append_number_of(std::string& out, const arrow::Array& array, int64_t row) {
  append_number(out, static_cast<const ArrayType&>(array).Value(row));
}

template <typename ArrayType>
void append_text_of(std::string& out, const arrow::Array& array, int64_t row) {
  append_json_string(out, static_cast<const ArrayType&>(array).GetView(row));
}

template <typename ListType>
void append_list_of(std::string& out, const arrow::Array& array, int64_t row) {
  const auto& list = static_cast<const ListType&>(array);
  const int64_t begin = list.value_offset(row), count = list.value_length(row);
  out += '[';
  for (int64_t i = 0; i < count; ++i) {
    if (i > 0) out += ',';
    append_arrow_json(out, *list.values(), begin + i);
  }
  out += ']';
}

void append_struct(std::string& out, const arrow::StructArray& array, int64_t row) {
  out += '{';
  for (int i = 0; i < array.num_fields(); ++i) {
    if (i > 0) out += ',';
    append_json_string(out, array.struct_type()->field(i)->name());
    out += ':';
    append_arrow_json(out, *array.field(i), row);
  }
  out += '}';
}

}  // namespace

void append_arrow_json(std::string& out, const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) {
    out += "null";
    return;
  }
  switch (array.type_id()) {
    case Type::BOOL: out += static_cast<const arrow::BooleanArray&>(array).Value(row) ? "true" : "false"; return;
    case Type::INT8: return append_number_of<arrow::Int8Array>(out, array, row);
    case Type::INT16: return append_number_of<arrow::Int16Array>(out, array, row);
    case Type::INT32: return append_number_of<arrow::Int32Array>(out, array, row);
    case Type::INT64: return append_number_of<arrow::Int64Array>(out, array, row);
    case Type::UINT8: return append_number_of<arrow::UInt8Array>(out, array, row);
    case Type::UINT16: return append_number_of<arrow::UInt16Array>(out, array, row);
    case Type::UINT32: return append_number_of<arrow::UInt32Array>(out, array, row);
    case Type::UINT64: return append_number_of<arrow::UInt64Array>(out, array, row);
    case Type::FLOAT: return append_number_of<arrow::FloatArray>(out, array, row);
    case Type::DOUBLE: return append_number_of<arrow::DoubleArray>(out, array, row);
    case Type::STRING:
    case Type::BINARY: return append_text_of<arrow::BinaryArray>(out, array, row);
    case Type::LARGE_STRING:
    case Type::LARGE_BINARY: return append_text_of<arrow::LargeBinaryArray>(out, array, row);
    case Type::STRING_VIEW:
    case Type::BINARY_VIEW: return append_text_of<arrow::BinaryViewArray>(out, array, row);
    case Type::LIST:
    case Type::MAP: return append_list_of<arrow::ListArray>(out, array, row);
    case Type::LARGE_LIST: return append_list_of<arrow::LargeListArray>(out, array, row);
    case Type::FIXED_SIZE_LIST: return append_list_of<arrow::FixedSizeListArray>(out, array, row);
    case Type::STRUCT: return append_struct(out, static_cast<const arrow::StructArray&>(array), row);
    case Type::DICTIONARY: {
      const auto& coded = static_cast<const arrow::DictionaryArray&>(array);
      const int64_t index = coded.GetValueIndex(row);
      if (index < 0 || index >= coded.dictionary()->length()) out += "null";
      else append_arrow_json(out, *coded.dictionary(), index);
      return;
    }
    case Type::EXTENSION: return append_arrow_json(out, *static_cast<const arrow::ExtensionArray&>(array).storage(), row);
    default: break;
  }
  const auto scalar = array.GetScalar(row);
  if (scalar.ok()) append_json_string(out, (*scalar)->ToString());
  else out += "null";
}

}  // namespace picochat::corpus
#endif
