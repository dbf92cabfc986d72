// The facts that choice questions ask about, as data. Written for this project.
#pragma once

#include <span>

namespace picochat::tasks {

enum class WrongAnswers {
  kSameRelation,  // answers to other facts of the relation
  kPlural,        // wrong plurals of the same noun
  kPastTense,     // other forms of the same verb
  kNearNumber,    // numbers close to the right one
};

// One kind of question. `facts` is "subject=answer; subject=answer"; an answer may bring its own wrong
// ones, "answer/wrong/wrong/wrong". "{}" in a question stands for the subject. Training rows ask by
// `train_questions`, eval rows by `eval_questions` ("|" between wordings). `statements` tell the fact in words of neither; "{a}" is the answer.
struct Relation {
  const char* name;
  const char* subject;  // the category is bench_choice_<subject>
  const char* train_questions;
  const char* eval_questions;
  const char* statements;
  const char* facts;
  WrongAnswers wrong = WrongAnswers::kSameRelation;
  // Relations of one pool ask about the same pairs from two sides ("after March" and "before April");
  // such facts fall on the same side of the split.
  const char* pool = nullptr;
  const char* more_answers = "";  // further wrong answers of the kind, "; " between them
};

std::span<const Relation> fact_bank();

}  // namespace picochat::tasks
