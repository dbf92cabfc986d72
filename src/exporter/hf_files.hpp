// The small files of a Hugging Face model folder: configs, the tokenizer's files, and our modelling
// file where no stock class fits.
#pragma once

#include <map>
#include <string>

#include "exporter/architecture.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "picochat/tokenizer/tokenizer.hpp"

namespace picochat::exporter {

base::Json hf_config(const gate::ModelConfig& config, HfClass hf, const std::string& dtype);
base::Json generation_config(const gate::ModelConfig& config);

// Name to content of every small file.
std::map<std::string, std::string> hf_files(const gate::ModelConfig& config, HfClass hf, const std::string& dtype, const tokenizer::Tokenizer& tokenizer);

// An embedded Python file by its name.
const std::string& python_file(const std::string& name);

}  // namespace picochat::exporter
