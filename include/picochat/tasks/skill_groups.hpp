// How categories group into the skills that reports and gates speak of.
#pragma once

#include <string>
#include <string_view>

#include "picochat/tasks/rows.hpp"

namespace picochat::tasks {

// identity, refusal, choice, math, spelling, domain or other.
std::string skill_group(std::string_view category);

// "group:curriculum_stage", "" without a stage.
std::string skill_stage(std::string_view category, std::string_view curriculum_stage);

// robustness_variant, else the first marker (paraphrase, typo, case, ...) in split, level, stage or category; "" for none.
std::string robustness_key(const EvalRow& row);

// skill, behavior or domain: the bucket of curriculum labels in data reports.
std::string curriculum_bucket(std::string_view category);

}  // namespace picochat::tasks
