#include <map>

#include "subcommands.hpp"

namespace picochat::cli {

const std::vector<Command>& commands() {
  static const std::vector<Command> all = [] {
    std::vector<Command> list{run_tiny_command()};
    for (auto group : {data_commands(), tok_commands(), eval_commands(), scale_commands(), evidence_commands(), export_commands(), serve_commands(), train_commands(), demo_commands(), sanity_commands(), launch_commands(), about_commands()}) list.insert(list.end(), group.begin(), group.end());
    return list;
  }();
  return all;
}

std::string group_summary(const std::string& word) {
  static const std::map<std::string, std::string> summaries{
      {"run", "train: from text to a verdict"},
      {"data", "look at, check and generate data"},
      {"tok", "train and use tokenizers"},
      {"train", "one stage of training by itself"},
      {"batch", "look at what training is fed"},
      {"eval", "ask a model and score its replies"},
      {"gate", "judge a run, or judge it again from its files"},
      {"export", "write a model for other programs"},
      {"import", "take a model from other programs"},
      {"scale", "plan a size of model"},
      {"sanity", "is this host sound?"}};
  const auto found = summaries.find(word);
  return found == summaries.end() ? "" : found->second;
}

std::vector<std::string> flag_names(const base::OptionField& field) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& flag) {
    names.push_back(flag);
    if (field.kind == base::OptionKind::kBool) names.push_back("--no-" + flag.substr(2));
  };
  add(field.flag());
  for (const auto& alias : field.aliases) add(alias);
  return names;
}

}  // namespace picochat::cli
