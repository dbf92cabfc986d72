// `tok inspect`: what a tokenizer file holds.
#include <algorithm>

#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "tokenizer/command_text.hpp"

namespace picochat::tokenizer {

using base::cat;
using base::Json;

Json description(const Tokenizer& tokenizer) {
  return {{"tokenizer_type", tokenizer.type()}, {"vocab_size", tokenizer.vocab_size()}, {"num_special_tokens", kSpecialTokens},
          {"num_text_tokens", tokenizer.vocab_size() - kSpecialTokens}};
}

std::string lines_of(const Json& object) {
  std::string out;
  for (const auto& [key, value] : object.items()) {
    if (value.is_structured()) continue;
    out += cat(key, ": ", value.is_string() ? value.get<std::string>() : value.is_number_float() ? base::fixed(value.get<double>(), 4) : base::dump(value, -1), "\n");
  }
  return out;
}

const base::OptionTable<TokInspectOptions>& tok_inspect_options() {
  static const auto table = [] {
    base::OptionTable<TokInspectOptions> t;
    t.add("tokenizer", &TokInspectOptions::tokenizer, "tokenizer.json").must();
    t.add("json", &TokInspectOptions::json, "print the result as JSON");
    return t;
  }();
  return table;
}

CommandOutput tok_inspect(const TokInspectOptions& options) {
  auto tokenizer = load_tokenizer(options.tokenizer);
  Json by_length = Json::object();
  std::vector<TokenId> ids;
  size_t not_text = 0;  // tokens that are part of a character
  uint64_t bytes = 0;
  for (TokenId id = kSpecialTokens; id < tokenizer->vocab_size(); ++id) {
    ids.push_back(id);
    bytes += tokenizer->byte_length(id);
    not_text += !base::is_valid_utf8(tokenizer->token_bytes(id));
    const uint32_t length = tokenizer->byte_length(id);
    std::string bin = length == 1 ? "1" : length <= 3 ? "2-3" : length <= 7 ? "4-7" : length <= 15 ? "8-15" : "16+";
    by_length[bin] = by_length.value(bin, 0) + 1;
  }
  std::stable_sort(ids.begin(), ids.end(), [&](TokenId a, TokenId b) { return tokenizer->byte_length(a) > tokenizer->byte_length(b); });
  Json longest = Json::array();
  for (size_t i = 0; i < std::min<size_t>(10, ids.size()); ++i)
    longest.push_back({{"id", ids[i]}, {"bytes", tokenizer->byte_length(ids[i])}, {"text", base::replace_invalid_utf8(tokenizer->token_bytes(ids[i]))}});

  CommandOutput output;
  output.json = description(*tokenizer);
  output.json.update(Json{{"digest", tokenizer->digest().hex()}, {"mean_token_bytes", static_cast<double>(bytes) / static_cast<double>(ids.size())},
                          {"tokens_that_are_part_of_a_character", not_text}, {"tokens_by_bytes", by_length}, {"longest_tokens", longest}});
  output.text = cat("tokenizer: ", options.tokenizer, "\n", lines_of(output.json), "tokens by bytes:");
  for (const auto& [bin, count] : by_length.items()) output.text += cat(" ", bin, ": ", count.get<int64_t>());
  output.text += "\nlongest tokens:\n";
  for (const auto& token : longest) output.text += cat("  ", base::padded(cat(token["id"].get<int64_t>()), 8), base::dump(token["text"], -1), "\n");
  return output;
}

}  // namespace picochat::tokenizer
