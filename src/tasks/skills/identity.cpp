// Questions about picochat itself, in many wordings.
#include "picochat/base/text.hpp"
#include "tasks/skills/families.hpp"
#include "tasks/skills/identity_bank.hpp"

namespace picochat::tasks {
namespace {

// Around the question; the empty ones are drawn as often as the others, so plain questions dominate no one.
constexpr const char* kTrainOpenings[] = {"", "", "Quick question: ", "I am new here. ", "Please tell me: ", "Hi! ", "For my notes: ",
                                          "A colleague asks: ", "Hello, Picochat. ", "Be brief. ", "One more thing: ", "Honestly: "};
constexpr const char* kTrainClosings[] = {"", "", "", " Keep it short.", " One sentence is enough.", " Thanks.", " I am curious."};
constexpr const char* kEvalOpenings[] = {"", "", "", "Before we start: ", "Good morning. ", "My teacher wonders: ", "Let me ask: ", "In plain words: "};
constexpr const char* kEvalClosings[] = {"", "", " A short reply will do.", " I need this for a report.", " Be frank."};

}  // namespace

std::vector<Task> identity_tasks(IdentityBank bank, const TaskRequest& request, TakenPrompts& taken) {
  std::vector<const IdentityTopic*> topics;
  for (const IdentityTopic& topic : identity_topics()) {
    if (topic.release || bank == IdentityBank::kGeneral) topics.push_back(&topic);
  }
  base::Random random(request.seed, bank == IdentityBank::kRelease ? "tasks.identity.release" : "tasks.identity.general");
  return draw_tasks(request.count, taken, [&](int64_t index, int64_t) {
    const IdentityTopic& topic = *topics[static_cast<size_t>(index) % topics.size()];
    bool train = request.side == Side::kTrain;
    Task task;
    task.family = task.category = "identity";
    task.stage = topic.stage;
    task.phrases = topic.phrases;
    task.answer = pick(random, topic.answers);
    std::string opening = train ? pick(random, kTrainOpenings) : pick(random, kEvalOpenings);
    std::string closing = train ? pick(random, kTrainClosings) : pick(random, kEvalClosings);
    std::string question = train ? pick(random, topic.train) : pick(random, topic.eval);
    if (!train && !(opening.empty() && closing.empty())) task.variant = "wording_shift";
    task.prompt = base::cat(opening, question, closing);
    if (random.below(8) == 0) {
      task.variant = "punctuation_shift";
      task.prompt = shift_punctuation(task.prompt, random.below(3));
    }
    return task;
  });
}

}  // namespace picochat::tasks
