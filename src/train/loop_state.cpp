#include "loop_state.hpp"

#include "picochat/base/error.hpp"

namespace picochat::train {

base::Json to_json(const LoopState& state) {
  return {{"step", state.step}, {"updates", state.updates}, {"supervised_tokens", state.supervised_tokens}, {"train_loss", state.train_loss},
          {"best_metric", state.best_metric ? base::Json(*state.best_metric) : base::Json(nullptr)}, {"best_step", state.best_step},
          {"evals_without_improvement", state.evals_without_improvement}, {"skipped_in_a_row", state.skipped_in_a_row},
          {"lr_scale", state.lr_scale}, {"rollback_events", state.rollback_events}, {"latest_eval", state.latest_eval}, {"spike", state.spike}};
}

LoopState loop_state_from_json(const base::Json& json, const std::string& where) {
  try {
    LoopState state;
    json.at("step").get_to(state.step);
    json.at("updates").get_to(state.updates);
    json.at("supervised_tokens").get_to(state.supervised_tokens);
    state.train_loss = json.at("train_loss").is_null() ? 0 : json.at("train_loss").get<double>();
    if (!json.at("best_metric").is_null()) state.best_metric = json.at("best_metric").get<double>();
    json.at("best_step").get_to(state.best_step);
    json.at("evals_without_improvement").get_to(state.evals_without_improvement);
    json.at("skipped_in_a_row").get_to(state.skipped_in_a_row);
    json.at("lr_scale").get_to(state.lr_scale);
    state.rollback_events = json.at("rollback_events");
    state.latest_eval = json.at("latest_eval");
    state.spike = json.at("spike");
    return state;
  } catch (const nlohmann::json::exception& error) {
    throw base::bad_input({.what = "the training state lacks a field", .where = where, .found = error.what()});
  }
}

}  // namespace picochat::train
