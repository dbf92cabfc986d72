// What two texts have in common: the primitives that the scoring rules are made of. All work on any
// UTF-8 (invalid bytes are separators) in any script.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace picochat::eval {

// Words as the rules see them: runs of letters and digits, lower-cased unless case_sensitive.
// A number is one word with its sign, decimals and percent left apart: "-1,234.50" is "-1234.5".
// Scripts written without spaces (Han, kana, Thai, Lao, Khmer, Myanmar) give one word a character.
std::vector<std::string> match_words(std::string_view text, bool case_sensitive = false);

// Whether `phrase` occurs in `reply` as whole words in a row. A phrase of one word with a colon
// ("Answer:") and a phrase without words ("+") must stand there literally.
bool contains_phrase(std::string_view reply, std::string_view phrase, bool case_sensitive = false);

// Why a reply looks like the prompt given back: "chat_role_label", "starts_with_user_prompt"; empty: it does not.
std::vector<std::string> prompt_echo_reasons(std::string_view prompt, std::string_view reply);

// Whether a reply declines to answer: a first-person refusal, a statement that the given material
// lacks the answer. Single words as common as "outside" or "not available" do not count.
bool is_refusal(std::string_view reply);

// Normalised forms a final answer may take in a reply: the whole, marked lines ("Final answer: x"),
// the last number, the last word. See docs/evaluation.md.
std::vector<std::string> answer_candidates(std::string_view reply);

// Overlap of bags of words: 2PR/(P+R); 0 when either is empty.
double token_f1(std::string_view reply, std::string_view reference);
// ROUGE-L as published: F1 of the longest common subsequence of words.
double rouge_l_f1(std::string_view reply, std::string_view reference);
// Share of word trigrams that repeat an earlier one; 0 for fewer than four words.
double repetition_ngram_rate(std::string_view reply);
// Distinct words / words; 1 for an empty reply.
double unique_word_rate(std::string_view reply);

// Distinct words of three letters or more that are not stop-words: what must be backed by a corpus.
std::vector<std::string> content_words(std::string_view text);

int64_t count_words(std::string_view text);  // runs of non-space characters, as a person counts

}  // namespace picochat::eval
