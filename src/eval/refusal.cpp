// Whether a reply declines. The patterns are word sequences, so "outside" or "not available" alone
// never count; what a refusal consists of is listed in docs/evaluation.md.
#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "picochat/base/text.hpp"
#include "picochat/eval/text_match.hpp"

namespace picochat::eval {
namespace {

using Words = std::vector<std::string>;

// Alternatives separated by '|' for each place; "?" after a place makes it optional.
struct Pattern {
  std::vector<Words> places;
  std::vector<bool> optional;
};

Pattern parse(std::string_view text) {
  Pattern pattern;
  for (auto place : base::split(text, ' ')) {
    bool optional = place.back() == '?';
    if (optional) place.pop_back();
    pattern.places.push_back(base::split(place, '|'));
    pattern.optional.push_back(optional);
  }
  return pattern;
}

bool match_at(const Pattern& pattern, size_t place, const Words& words, size_t at) {
  if (place == pattern.places.size()) return true;
  if (pattern.optional[place] && match_at(pattern, place + 1, words, at)) return true;
  if (at >= words.size()) return false;
  const Words& choices = pattern.places[place];
  bool here = std::find(choices.begin(), choices.end(), words[at]) != choices.end();
  return here && match_at(pattern, place + 1, words, at + 1);
}

#define MATERIAL "material|text|context|passage|corpus|document|documents|notes|source|sources|information|evidence|data|content"
#define NEGATED_ABLE "cannot|cant|can_not|can_t|could_not|couldn_t|wont|won_t|will_not|unable_to|not_able_to|must_not"
#define TELLING                                                                                                     \
  "answer|help|assist|provide|share|give|tell|say|comply|support|reveal|disclose|diagnose|predict|cite|verify|"     \
  "confirm|discuss|determine|recommend|advise|fulfill|fulfil|identify|know|produce|invent|guess|do|make|offer|"     \
  "generate|supply|repeat|print|access|look|infer|state"

const std::vector<Pattern>& refusal_patterns() {
  static const std::vector<Pattern> patterns = [] {
    std::vector<Pattern> list;
    for (std::string_view text : {
             "i|we do_not|don_t|dont really|actually? know",
             "i|we do_not|don_t|dont have the|any|enough|sufficient|reliable? enough|sufficient|any? information|knowledge|access|data|details|evidence|answer|"
             MATERIAL,
             "i|we have_no reliable|relevant|sufficient? information|knowledge|access|data|details|evidence|answer|way|record|" MATERIAL,
             "i|we am|are|m|re? " NEGATED_ABLE " safely|reliably|honestly|responsibly? " TELLING,
             "i|we " NEGATED_ABLE " safely|reliably|honestly|responsibly? " TELLING,
             NEGATED_ABLE " answer|be_answered|be_determined|be_known|be_verified",
             "not enough|sufficient information|evidence|material|context",
             "insufficient information|evidence|context",
             "not in the|my provided|given|available|training domain? " MATERIAL,
             "the? provided|given|available|supplied|my domain|training? " MATERIAL
             " does_not|doesn_t|do_not|don_t|lacks|lack|has_no|have_no|contains_no|contain_no|never",
             "the " MATERIAL " does_not|doesn_t|do_not|don_t say|contain|include|mention|give|state|provide|cover|have|support",
             "the " MATERIAL " lacks|lack|has_no|have_no|contains_no|contain_no",
             "unknown|not_known|not_stated|not_given|not_covered|unsupported|not_supported|missing|absent from|in|by the|my provided|given|available|training? domain? "
             MATERIAL,
             "outside of? the|my|what provided|given|available|scope|knowledge|training|domain|i|" MATERIAL,
             "not available in|from the|my provided|given|available|training? " MATERIAL,
             "i am|m sorry but i",
             "sorry i " NEGATED_ABLE,
             "i must|have_to|need_to decline|refuse",
             "i decline|refuse to?",
         })
      list.push_back(parse(text));
    return list;
  }();
  return patterns;
}

#undef MATERIAL
#undef NEGATED_ABLE
#undef TELLING

// Two words that mean one thing are joined by '_' in the patterns; here the reply is read that way.
Words joined_pairs(const Words& words, const std::vector<Pattern>& patterns) {
  static const std::vector<std::string> pairs = [&] {
    std::vector<std::string> list;
    for (const auto& pattern : patterns)
      for (const auto& place : pattern.places)
        for (const auto& word : place)
          if (word.find('_') != std::string::npos) list.push_back(word);
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    return list;
  }();
  Words out;
  for (size_t i = 0; i < words.size();) {
    size_t taken = 1;
    std::string joined = words[i];
    for (size_t length : {size_t{3}, size_t{2}}) {
      if (i + length > words.size()) continue;
      std::string text = words[i];
      for (size_t k = 1; k < length; ++k) text += "_" + words[i + k];
      if (std::binary_search(pairs.begin(), pairs.end(), text)) {
        joined = text;
        taken = length;
        break;
      }
    }
    out.push_back(joined);
    i += taken;
  }
  return out;
}

bool one_of(const std::string& word, std::span<const std::string_view> list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// "It says I do not know when the material has no answer" describes refusals; it is none. A first-person
// refusal is reported when speech comes right before it; a statement about the material also
// when a condition or speech stands a few words before.
bool reported(const Words& words, size_t at) {
  static constexpr std::array<std::string_view, 9> kSpeech = {"say", "says", "said", "saying", "reply", "replies", "answers", "when", "if"};
  if (at == 0) return false;
  if (one_of(words[at - 1], kSpeech)) return true;
  if (words[at - 1] == "that" && at > 1 && one_of(words[at - 2], kSpeech)) return true;
  if (words[at] == "i" || words[at] == "we") return false;
  constexpr size_t kReach = 8;
  for (size_t i = at > kReach ? at - kReach : 0; i < at; ++i)
    if (one_of(words[i], kSpeech)) return true;
  return false;
}

}  // namespace

bool is_refusal(std::string_view reply) {
  constexpr size_t kWindow = 40;  // a refusal comes first; a remark at the end of an answer is not one
  Words words = match_words(reply);
  if (words.size() > kWindow) words.resize(kWindow);
  const auto& patterns = refusal_patterns();
  words = joined_pairs(words, patterns);
  for (size_t at = 0; at < words.size(); ++at) {
    if (reported(words, at)) continue;
    for (const auto& pattern : patterns)
      if (match_at(pattern, 0, words, at)) return true;
  }
  return false;
}

}  // namespace picochat::eval
