#include "picochat/tokenizer/hub_files.hpp"

#include "picochat/base/error.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/text.hpp"
#include "tokenizer/base64.hpp"

namespace picochat::tokenizer {

using base::Json;

namespace {

Json special_tokens() {
  Json more = Json::array();
  for (TokenId id = kSystem; id <= kEnd; ++id) more.push_back(kSpecialTokenText[id]);
  return {{"pad_token", kSpecialTokenText[kPad]}, {"bos_token", kSpecialTokenText[kBos]}, {"eos_token", kSpecialTokenText[kEos]},
          {"unk_token", kSpecialTokenText[kUnk]}, {"additional_special_tokens", more}};
}

}  // namespace

std::string_view chat_template() {
  return "{{ '<bos>' }}{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}"
         "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ '<eos>' }}{% endif %}";
}

std::string tokenizer_config(int64_t model_max_length) {
  Json config = special_tokens();
  config.update({{"tokenizer_class", "PreTrainedTokenizerFast"}, {"model_max_length", model_max_length}, {"padding_side", "left"},
                 {"clean_up_tokenization_spaces", false}, {"chat_template", chat_template()}});
  return base::dump(config) + "\n";
}

std::string tiktoken_ranks(const Tokenizer& tokenizer) {
  const auto pretokenizer = nlohmann::json::parse(tokenizer.to_json()).value(nlohmann::json::json_pointer("/pre_tokenizer/type"), std::string());
  if (tokenizer.type() != "bpe" || pretokenizer != "Sequence") {
    throw base::usage_error({.what = "only a bpe tokenizer that splits text by the pattern can be written as tiktoken ranks",
                             .found = tokenizer.type(), .remedy = "leave --tiktoken out"});
  }
  std::string out;
  for (TokenId id = kSpecialTokens; id < tokenizer.vocab_size(); ++id) out += base::cat(to_base64(tokenizer.token_bytes(id)), " ", id - kSpecialTokens, "\n");
  return out;
}

std::vector<NamedFile> hub_files(const Tokenizer& tokenizer, int64_t model_max_length) {
  std::vector<NamedFile> files = {{"tokenizer.json", tokenizer.to_json()},
                                  {"tokenizer_config.json", tokenizer_config(model_max_length)},
                                  {"special_tokens_map.json", base::dump(special_tokens()) + "\n"},
                                  {"chat_template.jinja", std::string(chat_template())}};
  if (auto model = sentencepiece_model(tokenizer); !model.empty()) files.push_back({"tokenizer.model", std::string(model)});
  return files;
}

}  // namespace picochat::tokenizer
