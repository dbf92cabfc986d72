#include <algorithm>
#include <cmath>
#include <fstream>

#include "picochat/base/text.hpp"
#include "serve/run_view.hpp"

namespace picochat::serve {
namespace {

using base::Json;

double number_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : NAN;
}

// Means of `buckets` equal pieces, leaving out what is not a number; a piece without any gives null.
template <typename Row>
Json column(const std::vector<Row>& rows, double Row::*member, size_t most) {
  Json out = Json::array();
  const size_t buckets = std::min(most, rows.size());
  for (size_t b = 0; b < buckets; ++b) {
    const size_t begin = b * rows.size() / buckets, end = (b + 1) * rows.size() / buckets;
    double sum = 0;
    int count = 0;
    for (size_t i = begin; i < end; ++i)
      if (std::isfinite(rows[i].*member)) sum += rows[i].*member, ++count;
    out.push_back(count ? Json(sum / count) : Json(nullptr));
  }
  return out;
}

}  // namespace

void MetricsTail::refresh() {
  std::ifstream file(path_, std::ios::binary);
  if (offset_ > 0) {
    std::string there;
    file.seekg(static_cast<std::streamoff>(offset_ - last_line_.size() - 1));
    if (!std::getline(file, there) || file.eof() || there != last_line_) {
      *this = MetricsTail(path_);
      file.clear();
      file.seekg(0);
    }
  }
  // A last line without its end is still being written: it is read at the next look.
  for (std::string line; std::getline(file, line) && !file.eof(); last_line_ = std::move(line)) {
    take_line(line);
    offset_ += line.size() + 1;
  }
}

void MetricsTail::take_line(std::string_view text) {
  const Json line = Json::parse(text, nullptr, false);
  if (!line.is_object() || !line.contains("event") || !line.at("event").is_string()) {
    ++broken_;
    return;
  }
  const std::string event = line.at("event"), name = line.value("stage", Json("")).is_string() ? line.value("stage", std::string()) : "";
  if (name.empty() || (event != "step" && event != "eval")) return;
  if (std::find(order_.begin(), order_.end(), name) == order_.end()) order_.push_back(name);
  Stage& stage = stages_[name];
  const Json timing = line.value("timing", Json::object());
  if (event == "step") {
    stage.steps.push_back({number_at(line, "step"), number_at(line, "train_loss"), number_at(line, "learning_rate"), number_at(line, "grad_norm"), number_at(timing, "tokens_per_sec"),
                           number_at(timing, "step_time_sec")});
  } else {
    stage.evals.push_back({number_at(line, "step"), number_at(line, "val_loss"), number_at(line, "val_bpb"), number_at(line, "val_bpb_stderr")});
  }
}

Json MetricsTail::curves(size_t most) const {
  Json stages = Json::object();
  for (const auto& name : order_) {
    const Stage& s = stages_.at(name);
    stages[name] = {{"steps", {{"step", column(s.steps, &Step::step, most)}, {"train_loss", column(s.steps, &Step::train_loss, most)},
                               {"learning_rate", column(s.steps, &Step::learning_rate, most)}, {"grad_norm", column(s.steps, &Step::grad_norm, most)},
                               {"tokens_per_sec", column(s.steps, &Step::tokens_per_sec, most)}}},
                    {"evals", {{"step", column(s.evals, &Eval::step, most)}, {"val_loss", column(s.evals, &Eval::val_loss, most)}, {"val_bpb", column(s.evals, &Eval::val_bpb, most)},
                               {"val_bpb_stderr", column(s.evals, &Eval::val_bpb_stderr, most)}}}};
  }
  return {{"stages", std::move(stages)}, {"broken_lines", broken_}};
}

Json MetricsTail::position() const {
  const auto number = [](double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); };
  for (auto name = order_.rbegin(); name != order_.rend(); ++name) {
    const Stage& s = stages_.at(*name);
    if (s.steps.empty()) continue;
    return {{"stage", *name}, {"step", number(s.steps.back().step)}, {"train_loss", number(s.steps.back().train_loss)}, {"val_bpb", s.evals.empty() ? Json(nullptr) : number(s.evals.back().val_bpb)}};
  }
  return nullptr;
}

std::optional<double> MetricsTail::step_seconds(const std::string& stage) const {
  const auto found = stages_.find(stage);
  if (found == stages_.end()) return {};
  const auto& steps = found->second.steps;
  double sum = 0;
  int count = 0;
  for (size_t i = steps.size() - std::min<size_t>(steps.size(), 20); i < steps.size(); ++i)
    if (std::isfinite(steps[i].seconds)) sum += steps[i].seconds, ++count;
  return count ? std::optional(sum / count) : std::nullopt;
}

}  // namespace picochat::serve
