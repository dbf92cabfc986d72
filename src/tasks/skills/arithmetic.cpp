// Arithmetic problems, their wordings, and column work in the scratchpad.
#include <algorithm>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "tasks/skills/families.hpp"

namespace picochat::tasks {
namespace {

using base::cat;

constexpr MathStage kStages[] = {
    {"math_l1_addition_single_digit", "bench_math_addition", 0.16, 0.05, Operation::kAdd},
    {"math_l2_addition_no_carry", "bench_math_addition", 0.14, 0.10, Operation::kAdd},
    {"math_l3_addition_carry", "bench_math_addition", 0.10, 0.10, Operation::kAdd},
    {"math_l1_subtraction_single_digit", "bench_math_subtraction", 0.15, 0.05, Operation::kSubtract},
    {"math_l2_subtraction_no_borrow", "bench_math_subtraction", 0.12, 0.10, Operation::kSubtract},
    {"math_l3_subtraction_borrow", "bench_math_subtraction", 0.09, 0.10, Operation::kSubtract},
    {"math_l2_multiplication_small", "bench_math_multiplication", 0.14, 0.25, Operation::kMultiply},
    {"math_l3_removal_story", "bench_math_removal", 0.10, 0.25, Operation::kRemove},
};

constexpr const char* kPlaces[] = {"Ones", "Tens", "Hundreds", "Thousands", "Ten thousands"};

bool any_carry(int64_t a, int64_t b) {
  for (; a > 0 || b > 0; a /= 10, b /= 10) if (a % 10 + b % 10 > 9) return true;
  return false;
}

bool any_borrow(int64_t a, int64_t b) {
  for (; b > 0; a /= 10, b /= 10) if (a % 10 < b % 10) return true;
  return false;
}

bool starts_with_level(const MathStage& stage, std::string_view level) {
  return std::string_view(stage.name).starts_with(cat("math_", level, "_"));
}

// A number of `digits` digits, uniform.
int64_t number_of(base::Random& random, int64_t digits) {
  int64_t low = 1;
  for (int64_t i = 1; i < digits; ++i) low *= 10;
  return random.between(low, 10 * low - 1);
}

// Half of the problems have two digits, three tenths three, a fifth four; now and then the second
// number is shorter. Within lengths, uniform over the problems that the stage allows.
Problem random_problem(const MathStage& stage, base::Random& random) {
  if (stage.operation == Operation::kRemove) {
    Problem out{stage.operation, random.between(2, 12), random.between(2, 12), 0};
    out.c = random.between(1, std::min<int64_t>(30, out.a * out.b - 1));
    return out;
  }
  double length = random.uniform();
  int64_t digits = length < 0.5 ? 2 : length < 0.8 ? 3 : 4;
  int64_t other = random.uniform() < 0.7 ? digits : random.between(2, digits);
  for (;;) {
    Problem out{stage.operation, number_of(random, digits), number_of(random, other), 0};
    if (!stage_allows(stage, out)) continue;
    if (stage.operation == Operation::kAdd && random.below(2) == 1) std::swap(out.a, out.b);
    return out;
  }
}

std::vector<std::string> addition_columns(int64_t a, int64_t b) {
  std::vector<std::string> lines;
  int64_t carry = 0;
  size_t place = 0;
  for (; a > 0 || b > 0; a /= 10, b /= 10, ++place) {
    int64_t sum = a % 10 + b % 10 + carry;
    std::string line = cat(kPlaces[place], ": ", a % 10, "+", b % 10);
    if (carry) line += "+1";
    line += cat("=", sum, ", write ", sum % 10);
    carry = sum / 10;
    if (carry) line += ", carry 1";
    lines.push_back(line + ".");
  }
  if (carry) lines.push_back(cat(kPlaces[place], ": carry 1, write 1."));
  return lines;
}

std::vector<std::string> subtraction_columns(int64_t a, int64_t b) {
  std::vector<std::string> lines;
  int64_t borrow = 0;
  for (size_t place = 0; a > 0 || b > 0; a /= 10, b /= 10, ++place) {
    // The borrow of the column before comes off first.
    std::string off = borrow ? "-1-" : "-";
    int64_t difference = a % 10 - borrow - b % 10;
    std::string line = cat(kPlaces[place], ": ", a % 10, off, b % 10);
    borrow = difference < 0;
    if (borrow) {
      difference += 10;
      line += cat(" needs a borrow, ", a % 10 + 10, off, b % 10);
    }
    line += cat("=", difference);
    // A zero in front of the number is not written.
    const bool nothing_left = place > 0 && difference == 0 && a / 10 - b / 10 - borrow == 0;
    line += nothing_left ? std::string(", nothing to write") : cat(", write ", difference);
    if (borrow) line += ", borrow 1";
    lines.push_back(line + ".");
  }
  return lines;
}

// Larger factors are split at five or ten: 7x8 = 7x5 + 7x3.
std::vector<std::string> multiplication_parts(int64_t a, int64_t b) {
  if (b == 10) return {cat(a, "x10 is ", a, " with a zero behind it: ", a * 10, ".")};
  if (b <= 5) {
    std::string counted;
    for (int64_t i = 1; i <= b; ++i) counted += cat(i > 1 ? ", " : "", a * i);
    return {cat("Count by ", a, ", ", b, " times: ", counted, ".")};
  }
  int64_t part = b > 10 ? 10 : 5;
  return {cat("Split ", b, " into ", part, " and ", b - part, "."), cat(a, "x", part, "=", a * part, "."),
          cat(a, "x", b - part, "=", a * (b - part), "."), cat("Add: ", a * part, "+", a * (b - part), "=", a * b, ".")};
}

struct Wordings {
  std::vector<const char*> plain, stories;
};
struct EvalWordings {
  std::vector<const char*> canonical;
  const char *paraphrase, *format, *wording;
};

const Wordings& train_wordings(Operation operation) {
  static const Wordings add = {
      {"What is {a} + {b}?", "Add {a} and {b}.", "Work out {a} + {b}.", "Find the sum of {a} and {b}.", "How much is {a} plus {b}?",
       "{a} + {b} = ?", "Total of {a} and {b}?", "What do {a} and {b} make?", "If you add {b} to {a}, what number do you get?", "{a} and {b} added up give what?",
       "Task: add\nNumbers: {a}, {b}"},
      {"{name} has {a thing} and gets {b} more. How many {things} does {name} have now?",
       "A box holds {a thing} and a bag holds {b}. How many {things} is that in all?",
       "{name} saves {a dollar} in May and {b} in June. How many dollars is that together?",
       "A clinic sees {a patient} in the morning and {b} in the afternoon. How many patients is that in one day?",
       "{name} reads {a} pages today and {b} tomorrow. How many pages is that?",
       "There are {a thing} in one drawer and {b} in another. What is the number of {things} in both?",
       "A farm has {a} hens and buys {b} more. How many hens live there then?"}};
  static const Wordings subtract = {
      {"What is {a} - {b}?", "Subtract {b} from {a}.", "Work out {a} - {b}.", "Take {b} away from {a}. What is left?",
       "How much is {a} minus {b}?", "{a} - {b} = ?", "What is left of {a} without {b}?", "Difference of {a} and {b}?",
       "If you take {b} from {a}, what number is left?", "Go down from {a} by {b}. Where do you end?", "Reduce {a} by {b}.", "Task: subtract\nFrom: {a}\nThis: {b}"},
      {"{name} has {a thing} and gives away {b}. How many {things} does {name} keep?",
       "A bus carries {a passenger} and lets {b} off at the next stop. How many passengers stay on the bus?",
       "A bank account holds {a dollar}. {name} takes out {b}. How many dollars stay in the account?",
       "A bottle holds {a pill}. A nurse hands out {b}. How many pills does the bottle hold then?",
       "{name} owns {a thing} and loses {b}. How many {things} are left?",
       "A shop has {a} loaves and sells {b}. How many loaves can it still sell?",
       "A tank holds {a} liters and {b} run out. How many liters are inside now?"}};
  static const Wordings multiply = {
      {"What is {a} x {b}?", "Multiply {a} by {b}.", "Work out {a} x {b}.", "Find the product of {a} and {b}.",
       "How much is {a} times {b}?", "{a} x {b} = ?", "Product of {a} and {b}?", "If you take {a} exactly {b} times, what do you get?",
       "{a} groups with {b} in each: how many in all?", "What do {b} lots of {a} add up to?", "Task: multiply\nFactors: {a}, {b}"},
      {"{name} bakes {a tray} of cookies with {b cookie} on each. How many cookies is that?",
       "There are {a} boxes with {b} {things} in each box. How many {things} are there?",
       "A pharmacy sells {a} packs with {b} pills in each pack. How many pills does it sell?",
       "A garden has {a} beds with {b} plants in each. How many plants grow there?",
       "{name} reads {b} pages a day for {a} days. How many pages is that?",
       "Each of {a} teams has {b} players. How many players are there?"}};
  static const Wordings remove = {
      {"What is {a} x {b} - {c}?", "Multiply {a} by {b}, then subtract {c}.", "Work out {a} x {b} and take away {c}.", "{a} x {b} - {c} = ?",
       "Take {c} from the product of {a} and {b}.", "First {a} times {b}, then minus {c}. What is the result?", "How much is {a} times {b} minus {c}?", "What is {a} times {b}, less {c}?",
       "Multiply {a} and {b}. Now {c} go away. What remains?",
       "Task: multiply, subtract\nFactors: {a}, {b}\nMinus: {c}"},
      {"{name} packs {a} boxes with {b} {things} in each, then takes out {c}. How many {things} are still packed?",
       "A baker fills {a} trays with {b} rolls each and sells {c}. How many rolls does the baker have left?",
       "{name} has {a} albums with {b} photos in each and gives away {c}. How many photos does {name} keep?",
       "A farmer picks {a} baskets of {b} pears and eats {c}. How many pears are left?",
       "There are {a} shelves with {b} books on each. {c} books are lent out. How many books stay?",
       "A cook has {a} crates with {b} eggs in each and uses {c}. How many eggs remain?",
       "In a cinema are {a} rows of {b} chairs. {c} chairs are broken and taken out. How many chairs remain?",
       "{name} collects {a} bags of {b} nuts and spends {c} of them. What number of nuts is left?",
       "{name} buys {a} packs of {b} cards and loses {c}. How many cards does {name} own then?"}};
  switch (operation) {
    case Operation::kAdd: return add;
    case Operation::kSubtract: return subtract;
    case Operation::kMultiply: return multiply;
    default: return remove;
  }
}

const EvalWordings& eval_wordings(Operation operation) {
  static const EvalWordings add = {
      {"Calculate {a} + {b}.", "A shelf carries {a book}. {name} puts {b} more on it. How many books does the shelf carry now?"},
      "If {a} and {b} are put together, what total comes out?",
      "Problem: addition\nFirst number: {a}\nSecond number: {b}\nGive the total.",
      "{a} plus {b} equals which number?"};
  static const EvalWordings subtract = {
      {"Calculate {a} - {b}.", "A library owns {a book} and lends out {b}. How many books are still in the library?"},
      "Start at {a} and count back {b}. Which number do you reach?",
      "Problem: subtraction\nStart: {a}\nTake away: {b}\nGive what remains.",
      "{a} minus {b} equals which number?"};
  static const EvalWordings multiply = {
      {"Calculate {a} x {b}.", "A classroom has {a} rows of chairs with {b} chairs in each row. How many chairs does it have?"},
      "What total do {a} groups of {b} make?",
      "Problem: multiplication\nGroups: {a}\nIn each group: {b}\nGive the total.",
      "{a} times {b} equals which number?"};
  static const EvalWordings remove = {
      {"Calculate {a} x {b} - {c}.", "A hall has {a} rows of {b} seats. Workers carry out {c}. How many seats remain in the hall?"},
      "Out of {a} bags with {b} apples each, {name} uses up {c}. What number of apples remains?",
      "Problem: multiply, then subtract\nBags: {a}\nApples in each bag: {b}\nUsed up: {c}\nGive what remains.",
      "{a} times {b}, less {c}, equals which number?"};
  switch (operation) {
    case Operation::kAdd: return add;
    case Operation::kSubtract: return subtract;
    case Operation::kMultiply: return multiply;
    default: return remove;
  }
}

std::string counted(int64_t n, const std::string& plural) {
  return cat(n, " ", n == 1 ? plural.substr(0, plural.size() - 1) : plural);
}

std::string render(const char* wording, const Problem& p, base::Random& random, Side side) {
  static const std::vector<std::string> things = {"stickers", "marbles", "pencils", "coins", "stamps", "buttons", "shells",
                                                  "cards", "apples", "keys", "balloons", "candles", "ribbons", "nails"};
  const std::string& thing = pick(random, things);
  Slots slots = {{"a", cat(p.a)}, {"b", cat(p.b)}, {"c", cat(p.c)}, {"name", any_name(random, side)}, {"things", thing},
                 {"a thing", counted(p.a, thing)}};
  for (const char* plural : {"dollars", "patients", "passengers", "pills", "trays", "books"}) {
    std::string singular(plural);
    singular.pop_back();
    slots.push_back({cat("a ", singular), counted(p.a, plural)});
  }
  slots.push_back({"b cookie", counted(p.b, "cookies")});
  return fill(wording, slots);
}

const char* scratchpad_cue(base::Random& random, Side side) {
  static constexpr const char* kEval[] = {" Write a scratchpad and then the final answer.", " Show your work in a scratchpad."};
  return side == Side::kTrain ? training_cue(random) : pick(random, kEval);
}

}  // namespace

int64_t Problem::answer() const {
  switch (operation) {
    case Operation::kAdd: return a + b;
    case Operation::kSubtract: return a - b;
    case Operation::kMultiply: return a * b;
    default: return a * b - c;
  }
}

std::string Problem::key() const {
  int64_t low = std::min(a, b), high = std::max(a, b);
  switch (operation) {
    case Operation::kAdd: return cat(low, "+", high);
    case Operation::kSubtract: return cat(a, "-", b);
    case Operation::kMultiply: return cat(low, "x", high);
    default: return cat(low, "x", high, "-", c);
  }
}

std::span<const MathStage> math_stages() { return kStages; }

std::vector<Problem> small_stage_problems(const MathStage& stage) {
  std::vector<Problem> out;
  auto add = [&](int64_t a, int64_t b, int64_t c = 0) { out.push_back({stage.operation, a, b, c}); };
  if (stage.operation == Operation::kMultiply) {
    for (int64_t a = 2; a <= 12; ++a) for (int64_t b = 2; b <= 12; ++b) add(a, b);
  } else if (starts_with_level(stage, "l1") && stage.operation == Operation::kAdd) {
    for (int64_t a = 1; a <= 9; ++a) for (int64_t b = 1; b <= 9; ++b) add(a, b);
  } else if (starts_with_level(stage, "l1")) {
    for (int64_t a = 2; a <= 18; ++a) for (int64_t b = 1; b <= std::min<int64_t>(9, a); ++b) add(a, b);
  }
  return out;
}

bool stage_allows(const MathStage& stage, const Problem& problem) {
  const bool wanted = starts_with_level(stage, "l3");
  if (problem.operation == Operation::kAdd) return any_carry(problem.a, problem.b) == wanted;
  return problem.a > problem.b && any_borrow(problem.a, problem.b) == wanted;
}

ProblemSource::ProblemSource(const MathStage& stage, Side side, uint64_t seed)
    : stage_(stage), side_(side), random_(seed, cat("tasks.math.", stage.name)) {
  for (const Problem& problem : small_stage_problems(stage)) {
    if (problem.is_held_out() == (side == Side::kEval)) all_.push_back(problem);
  }
  at_ = all_.size();
}

Problem ProblemSource::next() {
  if (!all_.empty()) {
    if (at_ == all_.size()) {
      random_.shuffle(std::span<Problem>(all_));
      at_ = 0;
    }
    return all_[at_++];
  }
  for (;;) {
    Problem problem = random_problem(stage_, random_);
    if (problem.is_held_out() == (side_ == Side::kEval)) return problem;
  }
}

std::vector<std::string> column_work(const Problem& p) {
  switch (p.operation) {
    case Operation::kAdd: return addition_columns(p.a, p.b);
    case Operation::kSubtract: return subtraction_columns(p.a, p.b);
    case Operation::kMultiply: return multiplication_parts(p.a, p.b);
    default: {
      std::vector<std::string> lines = multiplication_parts(p.a, p.b);
      lines.push_back(cat("Take away ", p.c, " from ", p.a * p.b, "."));
      for (std::string& line : subtraction_columns(p.a * p.b, p.c)) lines.push_back(std::move(line));
      return lines;
    }
  }
}

std::vector<Task> math_tasks(const MathStage& stage, const TaskRequest& request, TakenPrompts& taken) {
  ProblemSource source(stage, request.side, request.seed);
  base::Random random(request.seed, cat("tasks.math.words.", stage.name));
  return draw_tasks(request.count, taken, [&](int64_t index, int64_t) {
    Problem problem = source.next();
    Task task;
    task.family = "math";
    task.category = stage.category;
    task.stage = stage.name;
    task.scratchpad = request.scratchpad;
    task.final_answer = cat(problem.answer());
    const char* wording;
    if (request.side == Side::kTrain) {
      const Wordings& words = train_wordings(problem.operation);
      wording = random.below(2) == 0 ? pick(random, words.plain) : pick(random, words.stories);
      if (random.below(8) == 0) task.variant = "punctuation_shift";
    } else {
      const EvalWordings& words = eval_wordings(problem.operation);
      task.variant = kVariants[index % 5];
      wording = task.variant == "paraphrase"      ? words.paraphrase
                : task.variant == "format_shift"  ? words.format
                : task.variant == "wording_shift" ? words.wording
                                                  : pick(random, words.canonical);
    }
    task.prompt = render(wording, problem, random, request.side);
    if (request.scratchpad) task.prompt += scratchpad_cue(random, request.side);
    if (task.variant == "punctuation_shift") task.prompt = shift_punctuation(task.prompt, random.below(3));
    task.answer = task.final_answer;
    if (request.scratchpad) {
      task.answer = "Scratchpad:\n";
      for (const std::string& line : column_work(problem)) task.answer += cat("- ", line, "\n");
      task.answer += cat("Final answer: ", task.final_answer);
    }
    static constexpr const char* kSigns[] = {"+", "-", "x", "x-"};
    task.details["operation"] = kSigns[static_cast<int>(problem.operation)];
    task.details["operands"] = problem.operation == Operation::kRemove ? base::Json{problem.a, problem.b, problem.c}
                                                                       : base::Json{problem.a, problem.b};
    return task;
  });
}

}  // namespace picochat::tasks
