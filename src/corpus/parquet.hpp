// Parquet through Arrow C++. Without Arrow in the build both functions are errors that say how to get it.
#pragma once

#include "picochat/corpus/row_file.hpp"

namespace picochat::corpus {

std::unique_ptr<RowFile> open_parquet(std::shared_ptr<const base::ByteSource> source, const RowColumns& columns);
std::vector<Column> parquet_columns(const base::ByteSource& source);

}  // namespace picochat::corpus
