// The small files of a Hugging Face model folder: configs, tokenizer settings, chat template, and
// our modelling file where no stock class fits.
#pragma once

#include <map>
#include <string>

#include "exporter/architecture.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"

namespace picochat::exporter {

// docs/formats/chat.md shows the same template.
inline constexpr const char* kChatTemplate =
    "{{ '<bos>' }}{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ '<eos>' }}{% endif %}";

base::Json hf_config(const gate::ModelConfig& config, HfClass hf, const std::string& dtype);
base::Json generation_config(const gate::ModelConfig& config);
base::Json tokenizer_config(const gate::ModelConfig& config);
base::Json special_tokens_map();

// Name to content of every small file; tokenizer_json is copied as it is.
std::map<std::string, std::string> hf_files(const gate::ModelConfig& config, HfClass hf, const std::string& dtype, const std::string& tokenizer_json);

// An embedded Python file by its name.
const std::string& python_file(const std::string& name);

}  // namespace picochat::exporter
