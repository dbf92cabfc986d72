// Words: opposites, near synonyms, rhymes, forms.
#include "tasks/skills/fact_bank_parts.hpp"

namespace picochat::tasks {

std::span<const Relation> language_facts() {
  static const Relation relations[] = {
      {.name = "opposite", .subject = "language",
       .train_questions = "Which word is the opposite of '{}'?|What is the opposite of '{}'?",
       .eval_questions = "Pick the word whose meaning is opposite to '{}'.",
       .statements = "{} and {a} are opposites.|{} is the reverse of {a}.",
       .facts =
           "hot=cold; up=down; day=night; wet=dry; early=late; full=empty; open=closed; heavy=light; fast=slow; old=young; "
           "rich=poor; strong=weak; thick=thin; tall=short; loud=quiet; happy=sad; clean=dirty; "
           "sweet=sour; rough=smooth; deep=shallow; sharp=blunt; true=false; first=last; inside=outside; "
           "push=pull; buy=sell; win=lose; give=take; arrive=leave; laugh=cry; remember=forget; "
           "love=hate; accept=refuse; brave=cowardly; cheap=expensive; dangerous=safe; easy=difficult; "
           "friend=enemy; generous=stingy; guilty=innocent; increase=decrease; major=minor; maximum=minimum; "
           "north=south; east=west; polite=rude; rare=common; same=different; sunrise=sunset; "
           "tight=loose; victory=defeat; wild=tame; asleep=awake; forward=backward; attack=defend"},
      {.name = "synonym", .subject = "language",
       .train_questions = "Which word means nearly the same as '{}'?|Which word is closest in meaning to '{}'?",
       .eval_questions = "Pick the word that could stand in place of '{}'.",
       .statements = "{} says about the same as {a}.|{} and {a} mean alike.",
       .facts =
           "begin=start; end=finish; large=big; tiny=small; quick=speedy; glad=joyful; unhappy=sorrowful; angry=furious; "
           "scared=afraid; tired=weary; smart=clever; shout=yell; jump=leap; look=gaze; speak=talk; gift=present; "
           "road=street; stone=rock; child=kid; sick=ill; wealthy=rich; silent=quiet; error=mistake; "
           "difficult=hard; correct=right; strange=odd; close=near; choose=select; repair=fix; collect=gather; "
           "build=construct; vanish=disappear; reply=answer; help=assist; hide=conceal; "
           "chilly=cold; brave=courageous; courteous=polite; vacant=empty; purchase=buy; ocean=sea; woods=forest; "
           "journey=trip; soil=dirt; autumn=fall; pal=friend"},
      {.name = "rhyme", .subject = "language",
       .train_questions = "Which word rhymes with '{}'?",
       .eval_questions = "Pick the word that ends with the same sound as '{}'.",
       .statements = "{} and {a} rhyme.|{} sounds like {a} at the end.",
       .facts =
           "cat=hat; dog=frog; tree=bee; house=mouse; light=kite; moon=spoon; star=car; rain=plane; snow=toe; fish=dish; "
           "king=ring; bed=red; book=hook; bell=shell; cake=snake; nose=rose; sock=clock; bear=chair; goat=boat; drum=thumb; "
           "hen=pen; duck=truck; nail=whale; sand=hand; ball=wall; coin=join; cloud=loud; sheep=deep; fork=stork; blue=shoe; "
           "nine=line; pot=knot; pig=wig; bone=phone; sun=run; ice=rice; hill=pill; corn=horn; beach=peach; milk=silk"},
      {.name = "plural", .subject = "language",
       .train_questions = "What is the plural of '{}'?|Which word means more than one {}?",
       .eval_questions = "One {}, two what?",
       .statements = "A single {}, a lot of {a}.|Several are {a}, one alone is a {}.",
       .facts =
           "mouse=mice; child=children; foot=feet; tooth=teeth; goose=geese; man=men; woman=women; ox=oxen; leaf=leaves; "
           "knife=knives; wolf=wolves; shelf=shelves; half=halves; thief=thieves; loaf=loaves; calf=calves; city=cities; "
           "baby=babies; berry=berries; story=stories; elf=elves; wife=wives; "
           "lady=ladies; puppy=puppies; party=parties; penny=pennies",
       .wrong = WrongAnswers::kPlural},
      {.name = "past", .subject = "language",
       .train_questions = "What is the past tense of '{}'?|Today I {}. Which word fits: yesterday I ...?",
       .eval_questions = "Pick the form of '{}' that tells what happened yesterday.",
       .statements = "Now they {}, before they {a}.|{} becomes {a} in the past.",
       .facts =
           "go=went; eat=ate; see=saw; take=took; give=gave; come=came; know=knew; grow=grew; throw=threw; fly=flew; "
           "draw=drew; sing=sang; drink=drank; swim=swam; run=ran; sit=sat; write=wrote; ride=rode; drive=drove; "
           "break=broke; speak=spoke; choose=chose; freeze=froze; steal=stole; wear=wore; fall=fell; "
           "feel=felt; keep=kept; sleep=slept; sweep=swept; build=built; send=sent; spend=spent; lose=lost; "
           "buy=bought; bring=brought; catch=caught; teach=taught; think=thought; fight=fought; find=found; hold=held; "
           "leave=left; make=made; meet=met; pay=paid; say=said; sell=sold; tell=told; stand=stood; win=won; shake=shook",
       .wrong = WrongAnswers::kPastTense},
      {.name = "group_name", .subject = "language",
       .train_questions = "What is a group of {} called?",
       .eval_questions = "Pick the word for many {} together.",
       .statements = "{} together are {a}.|{a} is made of {}.",
       .facts =
           "wolves=a pack; lions=a pride; fish=a school; bees=a swarm; cows=a herd; geese=a gaggle; "
           "ships that sail under one command=a fleet; newborn puppies=a litter; flowers tied in a bunch=a bouquet; "
           "musicians who play together=an orchestra; singers=a choir; players in a match=a team; "
           "sailors on one ship=a crew"},
      {.name = "word_class", .subject = "language",
       .train_questions = "What kind of word is {}?",
       .eval_questions = "Decide which kind of word {} is.",
       .statements = "{} is {a}.|Grammar calls {} {a}.",
       .facts =
           "'table' in 'the table is round'=a noun; 'sing' in 'birds sing'=a verb; 'green' in 'a green leaf'=an adjective; "
           "'slowly' in 'he walks slowly'=an adverb; 'river' in 'the river is wide'=a noun; 'jumped' in 'she jumped'=a verb; "
           "'cold' in 'a cold night'=an adjective; 'loudly' in 'they shout loudly'=an adverb; "
           "'he' in 'he is here'=a pronoun; 'under' in 'under the bed'=a preposition; "
           "'doctor' in 'the doctor came'=a noun; 'baked' in 'we baked bread'=a verb; 'tall' in 'a tall tower'=an adjective; "
           "'quietly' in 'the cat sat quietly'=an adverb; 'they' in 'they won'=a pronoun; 'behind' in 'behind the door'=a preposition"},
      {.name = "mark", .subject = "language",
       .train_questions = "Which mark {}?",
       .eval_questions = "Name the mark that {}.",
       .statements = "{a} {}.|The sign that {} is {a}.",
       .facts =
           "ends a question=a question mark; ends a plain statement=a period; shows great surprise at the end of a sentence=an exclamation mark; "
           "separates the things in a list=a comma; shows the missing letter in don't=an apostrophe; "
           "stands around the exact words that someone said=quotation marks; joins the two parts of twenty-one=a hyphen"},
  };
  return relations;
}

}  // namespace picochat::tasks
