// --verify-with-python: the same questions asked to transformers, in a Python of the user's.
#pragma once

#include <memory>
#include <string>

#include "exporter/checkpoint_source.hpp"
#include "picochat/tokenizer/tokenizer.hpp"

namespace picochat::exporter {

struct PythonCheck {
  std::string python;  // program, looked up in PATH
  base::Path export_folder;
  at::ScalarType dtype;
};

// Environment error when there is no such Python or it lacks torch, transformers or safetensors.
void require_python(const std::string& python);

// What the script compares with: expected.json and expected.safetensors in `folder`.
void write_expected(base::FileSystem& files, const base::Path& folder, at::ScalarType dtype, const CheckpointSource& source,
                    std::shared_ptr<const tokenizer::Tokenizer> tokenizer);

// The script's report; an internal error that lists the checks that failed.
base::Json verify_with_python(const PythonCheck& check, const CheckpointSource& source, std::shared_ptr<const tokenizer::Tokenizer> tokenizer);

}  // namespace picochat::exporter
