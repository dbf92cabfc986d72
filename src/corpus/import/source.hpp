// From options to a plan, and from a plan to bytes.
#pragma once

#include <functional>
#include <memory>

#include "corpus/import/plan.hpp"
#include "picochat/base/byte_source.hpp"
#include "picochat/corpus/row_file.hpp"
#include "picochat/hub/dataset.hpp"

namespace picochat::corpus::import {

struct Source {
  std::shared_ptr<const hub::Dataset> dataset;
  std::function<std::shared_ptr<const base::ByteSource>(const hub::RepoFile&)> open;
  std::shared_ptr<const RowFile> first;  // the first file to be read, open; null when there is none, or it is to be fetched whole
};

// Resolves config, split and files, and looks into the first file: a column that is missing is known
// before anything is fetched or written.
Plan make_plan(base::FileSystem& files, const ImportOptions& options, const hub::Settings& settings, Source& source);

// The files of a plan that was made before, at its commit. BadInput when local files have changed since.
Source open_planned(base::FileSystem& files, const ImportOptions& options, const Plan& plan, const hub::Settings& settings, size_t first_file);

RowColumns row_columns(const Plan& plan);

}  // namespace picochat::corpus::import
