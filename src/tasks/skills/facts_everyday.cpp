// Tools, jobs, places, colors, sounds, and safe habits.
#include "tasks/skills/fact_bank_parts.hpp"

namespace picochat::tasks {

std::span<const Relation> everyday_facts() {
  static const Relation relations[] = {
      {.name = "tool", .subject = "everyday",
       .train_questions = "What do you use to {}?|Which thing helps you to {}?",
       .eval_questions = "You want to {}. What do you take?",
       .statements = "People use {a} to {}.|{a} helps anyone who has to {}.",
       .facts =
           "cut paper=scissors; drive in a nail=a hammer; turn a screw=a screwdriver; sweep the floor=a broom; "
           "dig a hole in the garden=a shovel; eat soup=a spoon; brush your teeth=a toothbrush; lock a door=a key; "
           "stay dry in the rain=an umbrella; see in the dark=a flashlight; sew a button=a needle and thread; "
           "cut wood=a saw; rub out pencil marks=an eraser; paint a picture=a paintbrush; boil water for tea=a kettle; "
           "toast bread=a toaster; keep food cold=a refrigerator; iron a shirt=an iron; dry yourself after a bath=a towel; "
           "see tiny things up close=a microscope; look at distant stars=a telescope; find north=a compass; "
           "call someone far away=a telephone; water the flowers=a watering can; climb up to the roof=a ladder; "
           "clear leaves from the lawn=a rake; comb your hair=a comb; carry your school books=a backpack; "
           "wake up on time=an alarm clock; put out a small fire=a fire extinguisher"},
      {.name = "job", .subject = "everyday",
       .train_questions = "Who {}?|Which worker {}?",
       .eval_questions = "Name the worker who {}.",
       .statements = "{a} {}.|The one who {} is {a}.",
       .facts =
           "bakes bread=a baker; puts out fires=a firefighter; teaches children at school=a teacher; flies a plane=a pilot; "
           "grows crops in fields=a farmer; treats sick animals=a veterinarian; repairs teeth=a dentist; "
           "fixes leaking pipes=a plumber; delivers letters=a mail carrier; cuts hair=a barber; makes clothes to measure=a tailor; "
           "builds things from wood=a carpenter; cooks in a restaurant=a chef; brings food to the table=a waiter; "
           "designs buildings=an architect; repairs car engines=a mechanic; writes books=an author; plays music for a living=a musician; "
           "lends books to readers=a librarian; sells medicine that a doctor ordered=a pharmacist; lays bricks=a bricklayer; "
           "catches fish at sea=a fisherman; travels into space=an astronaut; takes pictures with a camera=a photographer; "
           "decides the sentence in a court=a judge; digs coal out of the ground=a miner; carves figures out of stone=a sculptor; "
           "installs wires and switches=an electrician; tends flower beds=a gardener; sells meat=a butcher"},
      {.name = "place", .subject = "everyday",
       .train_questions = "Where do you go to {}?",
       .eval_questions = "Someone wants to {}. Which place is right?",
       .statements = "{a} is where people {}.|To {}, people go to {a}.",
       .facts =
           "borrow books=a library; see a film=a cinema; catch a train=a railway station; board a plane=an airport; "
           "see lions and elephants in enclosures=a zoo; look at old paintings=a museum; buy bread fresh from the oven=a bakery; swim laps=a swimming pool; "
           "send a parcel=a post office; have a broken arm treated=a hospital; learn to read as a child=a school; "
           "put money into an account=a bank; fill a car with fuel=a gas station; watch a play on a stage=a theater; "
           "sleep while traveling=a hotel; buy medicine=a pharmacy; load goods onto ships=a harbor; pick apples from trees=an orchard; "
           "have your hair cut=a barber shop; play on swings and slides=a playground"},
      {.name = "color", .subject = "everyday",
       .train_questions = "What color is {}?",
       .eval_questions = "Name the usual color of {}.",
       .statements = "{} is {a}.|{a} is how {} looks.",
       .facts =
           "a ripe banana=yellow; fresh snow=white; grass in spring=green; a ripe tomato=red; coal=black; "
           "a carrot=orange; a clear sky at noon=blue; chocolate=brown; an elephant=gray; a flamingo=pink; "
           "an eggplant=purple; a stop sign=red; milk=white; a sunflower's petals=yellow; a raven=black; spinach=green"},
      {.name = "mix", .subject = "everyday",
       .train_questions = "Which color do you get when you mix {} paint?",
       .eval_questions = "You stir {} paint together. Which color appears?",
       .statements = "{} paint makes {a}.|Mixing {} gives {a}.",
       .facts =
           "blue and yellow=green; red and yellow=orange; red and blue=purple; red and white=pink; black and white=gray"},
      {.name = "sound", .subject = "everyday",
       .train_questions = "Which animal {}?",
       .eval_questions = "Name the animal that {}.",
       .statements = "{a} {}.|The animal that {}: {a}.",
       .facts =
           "barks=a dog; meows=a cat; moos=a cow; oinks=a pig; neighs=a horse; quacks=a duck; roars=a lion; hoots=an owl; "
           "hisses and has no legs=a snake; croaks in a pond=a frog; crows in the morning=a rooster; bleats and gives wool=a sheep; "
           "buzzes around flowers=a bee; howls at night in a pack=a wolf; trumpets with its trunk=an elephant"},
      {.name = "sport", .subject = "everyday",
       .train_questions = "In which sport do you {}?",
       .eval_questions = "Name the sport in which you {}.",
       .statements = "In {a} players {}.|They {} in {a}.",
       .facts =
           "hit a ball over a net with a racket=tennis; throw a ball through a high hoop=basketball; "
           "kick a ball into a goal=soccer; hit a puck on ice=ice hockey; roll a heavy ball at pins=bowling; "
           "hit a small ball into holes with clubs=golf; ride waves on a board=surfing; slide down snow on two long boards=skiing; "
           "shoot arrows at a target=archery; pull a boat along with oars=rowing; hit a ball with a bat and run around bases=baseball"},
      {.name = "made_from", .subject = "everyday",
       .train_questions = "What is {} made from?",
       .eval_questions = "Pick what people make {} from.",
       .statements = "{} comes from {a}.|People turn {a} into {}.",
       .facts =
           "bread=flour; butter=cream; paper=wood; a window pane=glass; wine=grapes; chocolate=cocoa beans; a candle=wax; "
           "ketchup=tomatoes; tofu=soybeans; french fries=potatoes; an omelet=eggs; "
           "a clay pot=clay; popcorn=corn; a pearl necklace=pearls; jeans=cotton; leather shoes=animal skin; apple juice=apples"},
      {.name = "wear", .subject = "everyday",
       .train_questions = "What do you wear on your {}?",
       .eval_questions = "Pick what belongs on your {}.",
       .statements = "On the {} goes {a}.|{a} goes on the {}.",
       .facts =
           "head against the sun=a hat; hands in the cold=gloves; neck in winter=a scarf; feet outdoors=shoes; "
           "eyes to see better=glasses; finger after a wedding=a ring; wrist to tell the time=a watch; waist to hold up trousers=a belt"},
      {.name = "habit", .subject = "everyday",
       .train_questions = "What {}?",
       .eval_questions = "Decide: what {}?",
       .statements = "{a}: this {}.|This {}: {a}.",
       .facts =
           "makes the safest password=a long phrase that only you know/your first name/the word password/your birthday; "
           "should you do before you cross a road=look both ways/close your eyes/run at once/read a book; "
           "keeps a bank card safe=telling nobody its number/writing its number on the card/lending it to strangers/posting a picture of it; "
           "helps most against spreading a cold=washing your hands/sharing your cup/sneezing at people/shaking every hand; "
           "protects your head on a bicycle=a helmet/a ribbon/a pair of gloves/a loud bell; "
           "protects your skin on a sunny beach=sunscreen/salt water/a fork/perfume; "
           "should you do first when you smell smoke at home=get everyone outside/finish your meal/hide under the bed/pack your toys; "
           "keeps milk fresh for longer=a refrigerator/a warm oven/a sunny window/an open glass; "
           "saves electricity=switching off lights that nobody needs/leaving the oven on/opening the refrigerator often/charging a full phone; "
           "keeps your teeth healthy=brushing them every day/eating candy at bedtime/opening bottles with them/never seeing a dentist; "
           "saves your photos if a computer breaks=a backup copy/a brighter screen/a new mouse pad/a louder speaker; "
           "saves water=turning off the tap while you brush your teeth/a longer shower/a leaking pipe/watering the street"},
  };
  return relations;
}

}  // namespace picochat::tasks
