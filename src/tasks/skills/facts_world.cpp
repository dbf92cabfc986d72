// Places, calendar, numbers of everyday life.
#include "tasks/skills/fact_bank_parts.hpp"

namespace picochat::tasks {

std::span<const Relation> world_facts() {
  static const Relation relations[] = {
      {.name = "capital", .subject = "world",
       .train_questions = "What is the capital of {}?|Which city is the capital of {}?",
       .eval_questions = "Name the capital city of {}.|The government of {} sits in which capital?",
       .statements = "The seat of the rulers of {} is {a}.|{} is governed from {a}.",
       .facts =
           "France=Paris; Germany=Berlin; Italy=Rome; Spain=Madrid; Portugal=Lisbon; Greece=Athens; Austria=Vienna; "
           "Hungary=Budapest; Poland=Warsaw; Sweden=Stockholm; Norway=Oslo; Denmark=Copenhagen; Finland=Helsinki; "
           "Ireland=Dublin; Belgium=Brussels; Romania=Bucharest; Bulgaria=Sofia; Croatia=Zagreb; Serbia=Belgrade; "
           "Iceland=Reykjavik; Ukraine=Kyiv; Russia=Moscow; Turkey=Ankara; Egypt=Cairo; Kenya=Nairobi; Ethiopia=Addis Ababa; "
           "Ghana=Accra; Senegal=Dakar; Morocco=Rabat; Tunisia=Tunis; Uganda=Kampala; Zambia=Lusaka; Japan=Tokyo; "
           "China=Beijing; South Korea=Seoul; Thailand=Bangkok; Vietnam=Hanoi; Nepal=Kathmandu; Pakistan=Islamabad; "
           "Bangladesh=Dhaka; Mongolia=Ulaanbaatar; the Philippines=Manila; Iraq=Baghdad; Iran=Tehran; Lebanon=Beirut; "
           "Canada=Ottawa; Mexico=Mexico City; Cuba=Havana; Peru=Lima; Chile=Santiago; Argentina=Buenos Aires; "
           "Colombia=Bogota; Ecuador=Quito; Uruguay=Montevideo; Venezuela=Caracas; Brazil=Brasilia; Australia=Canberra; "
           "New Zealand=Wellington; the United Kingdom=London; the United States=Washington"},
      {.name = "continent", .subject = "world",
       .train_questions = "On which continent is {}?|Which continent does {} belong to?",
       .eval_questions = "Name the continent where {} lies.|If you travel to {}, which continent do you visit?",
       .statements = "{} lies in {a}.|{} is a country of {a}.",
       .facts =
           "Nigeria=Africa; Algeria=Africa; Madagascar=Africa; Tanzania=Africa; Angola=Africa; Libya=Africa; Mali=Africa; "
           "Namibia=Africa; Rwanda=Africa; Botswana=Africa; India=Asia; Laos=Asia; Malaysia=Asia; Sri Lanka=Asia; "
           "Myanmar=Asia; Cambodia=Asia; Bhutan=Asia; Jordan=Asia; Oman=Asia; Uzbekistan=Asia; Switzerland=Europe; "
           "Slovenia=Europe; Latvia=Europe; Estonia=Europe; Albania=Europe; the Netherlands=Europe; Lithuania=Europe; "
           "Slovakia=Europe; Bolivia=South America; Paraguay=South America; Guyana=South America; Suriname=South America; "
           "Honduras=North America; Guatemala=North America; Nicaragua=North America; Costa Rica=North America; "
           "Jamaica=North America; Haiti=North America",
       .more_answers = "Oceania"},
      {.name = "language", .subject = "world",
       .train_questions = "Which language do most people in {} speak?",
       .eval_questions = "What is the main language spoken in {}?",
       .statements = "In {} people talk {a}.|{a} is heard all over {}.",
       .facts =
           "Brazil=Portuguese; Austria=German; Mexico=Spanish; Egypt=Arabic; Iran=Persian; Japan=Japanese; Sweden=Swedish; "
           "Poland=Polish; Greece=Greek; Hungary=Hungarian; Turkey=Turkish; Vietnam=Vietnamese; Thailand=Thai; "
           "Denmark=Danish; Finland=Finnish; Iceland=Icelandic; Australia=English; Italy=Italian; Romania=Romanian; "
           "Nepal=Nepali; the Czech Republic=Czech; Bulgaria=Bulgarian"},
      {.name = "landmark", .subject = "world",
       .train_questions = "In which country is {}?|Which country would you visit to see {}?",
       .eval_questions = "{} can be found in which country?",
       .statements = "{} stands in {a}.|{a} has {}.",
       .facts =
           "the Eiffel Tower=France; the Colosseum=Italy; the Taj Mahal=India; the Great Wall=China; the Acropolis=Greece; "
           "Mount Fuji=Japan; Big Ben=the United Kingdom; the Statue of Liberty=the United States; Machu Picchu=Peru; "
           "the Great Sphinx=Egypt; the Brandenburg Gate=Germany; the Alhambra=Spain; the Sydney Opera House=Australia; "
           "Angkor Wat=Cambodia; Petra=Jordan; Chichen Itza=Mexico; Red Square=Russia; "
           "the Atomium=Belgium; the Serengeti=Tanzania; the Christ the Redeemer statue=Brazil; "
           "the Little Mermaid statue=Denmark; the Hagia Sophia=Turkey; Table Mountain=South Africa"},
      {.name = "currency", .subject = "world",
       .train_questions = "Which money is used in {}?",
       .eval_questions = "People in {} pay with which currency?",
       .statements = "{} has the {a} for money.|Shops in {} take the {a}.",
       .facts =
           "Japan=yen; India=rupee; Russia=ruble; Poland=zloty; Switzerland=franc; Thailand=baht; Sweden=krona; "
           "South Korea=won; Turkey=lira; Israel=shekel; Brazil=real; Vietnam=dong; China=yuan; Hungary=forint; Germany=euro"},
      {.name = "next_month", .subject = "world",
       .train_questions = "Which month comes right after {}?|What month follows {}?",
       .eval_questions = "When {} is over, which month begins?",
       .statements = "{} gives way to {a}.|{}, then {a}.",
       .facts =
           "January=February; February=March; March=April; April=May; May=June; June=July; July=August; August=September; "
           "September=October; October=November; November=December; December=January",
       .pool = "months"},
      {.name = "previous_month", .subject = "world",
       .train_questions = "Which month comes right before {}?",
       .eval_questions = "Which month ends on the day before {} begins?",
       .statements = "{a} gives way to {}.|{a}, then {}.",
       .facts =
           "February=January; March=February; April=March; May=April; June=May; July=June; August=July; September=August; "
           "October=September; November=October; December=November; January=December",
       .pool = "months"},
      {.name = "next_day", .subject = "world",
       .train_questions = "Which day comes right after {}?|What day follows {}?",
       .eval_questions = "If today is {}, what day is tomorrow?",
       .statements = "{} ends and {a} begins.|{}, then {a}.",
       .facts =
           "Monday=Tuesday; Tuesday=Wednesday; Wednesday=Thursday; Thursday=Friday; Friday=Saturday; Saturday=Sunday; "
           "Sunday=Monday",
       .pool = "days"},
      {.name = "previous_day", .subject = "world",
       .train_questions = "Which day comes right before {}?",
       .eval_questions = "If today is {}, what day was yesterday?",
       .statements = "{a} ends and {} begins.|{a}, then {}.",
       .facts =
           "Tuesday=Monday; Wednesday=Tuesday; Thursday=Wednesday; Friday=Thursday; Saturday=Friday; Sunday=Saturday; "
           "Monday=Sunday",
       .pool = "days"},
      {.name = "how_many", .subject = "numbers",
       .train_questions = "How many {}?",
       .eval_questions = "Choose the right number: how many {}?",
       .statements = "{a} {}.|The number is {a}: {}.",
       .facts =
           "minutes are in an hour=60; seconds are in a minute=60; hours are in a day=24; days are in a week=7; "
           "months are in a year=12; weeks are in a year=52; years are in a century=100; years are in a decade=10; "
           "days are in a leap year=366; days does April have=30; days does July have=31; eggs are in a dozen=12; "
           "letters are in the English alphabet=26; vowels does the word alphabet have=3; "
           "centimeters are in a meter=100; meters are in a kilometer=1000; grams are in a kilogram=1000; "
           "millimeters are in a centimeter=10; planets go around the Sun=8; continents are usually counted=7; "
           "strings does a violin have=4; strings does a usual guitar have=6; keys does a full piano have=88; "
           "players of one team are on a soccer field at the start=11; squares does a chessboard have=64; "
           "degrees are in a right angle=90; degrees are in a full circle=360; cents are in a dollar=100; "
           "faces does a cube have=6; corners does a cube have=8; wheels does a tricycle have=3; "
           "fingers are on two hands=10; teeth does a grown person usually have=32; quarters make a whole=4",
       .wrong = WrongAnswers::kNearNumber},
      {.name = "legs", .subject = "numbers",
       .train_questions = "How many legs does {} have?",
       .eval_questions = "Count the legs of {}. How many are there?",
       .statements = "{} walks on {a} legs.|Of legs, {} has {a}.",
       .facts =
           "a spider=8; an ant=6; a bee=6; a dog=4; a horse=4; a chicken=2; a snake=0; a scorpion=8; a fly=6; an ostrich=2; "
           "a frog=4; a worm=0",
       .wrong = WrongAnswers::kNearNumber},
      {.name = "sides", .subject = "numbers",
       .train_questions = "How many sides does {} have?",
       .eval_questions = "Count the sides of {}. How many are there?",
       .statements = "{} is drawn with {a} sides.|Of sides, {} has {a}.",
       .facts =
           "a triangle=3; a square=4; a pentagon=5; a hexagon=6; an octagon=8; a rectangle=4; a heptagon=7; a decagon=10; "
           "a rhombus=4; a nonagon=9; a trapezoid=4",
       .wrong = WrongAnswers::kNearNumber},
      {.name = "roman", .subject = "numbers",
       .train_questions = "Which number does the Roman numeral {} stand for?",
       .eval_questions = "Read the Roman numeral {}. Which number is it?",
       .statements = "{} is {a} in Roman writing.|Romans wrote {} for {a}.",
       .facts =
           "II=2; III=3; IV=4; V=5; VI=6; VII=7; VIII=8; IX=9; X=10; XI=11; XII=12; XIV=14; XV=15; XIX=19; XX=20; XXX=30; "
           "XL=40; L=50; XC=90; C=100",
       .wrong = WrongAnswers::kNearNumber},
  };
  return relations;
}

}  // namespace picochat::tasks
