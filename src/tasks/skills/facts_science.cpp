// Nature, the body, matter and measurement.
#include "tasks/skills/fact_bank_parts.hpp"

namespace picochat::tasks {

std::span<const Relation> science_facts() {
  static const Relation relations[] = {
      {.name = "animal_class", .subject = "science",
       .train_questions = "What kind of animal is {}?|Which group of animals does {} belong to?",
       .eval_questions = "{} counts as which kind of animal?",
       .statements = "{} is a kind of {a}.|{a}: that is {}.",
       .facts =
           "a whale=mammal; a bat=mammal; a dolphin=mammal; a horse=mammal; a rabbit=mammal; an elephant=mammal; "
           "a kangaroo=mammal; a mouse=mammal; a bear=mammal; a seal=mammal; an eagle=bird; a penguin=bird; an owl=bird; "
           "an ostrich=bird; a parrot=bird; a duck=bird; a sparrow=bird; a swan=bird; a snake=reptile; a turtle=reptile; "
           "a crocodile=reptile; a lizard=reptile; an iguana=reptile; a gecko=reptile; an alligator=reptile; a shark=fish; "
           "a salmon=fish; a trout=fish; a tuna=fish; a seahorse=fish; a cod=fish; a goldfish=fish; an ant=insect; "
           "a bee=insect; a butterfly=insect; a beetle=insect; a mosquito=insect; a grasshopper=insect; a moth=insect; "
           "a frog=amphibian; a toad=amphibian; a newt=amphibian; a salamander=amphibian"},
      {.name = "young", .subject = "science",
       .train_questions = "What is a young {} called?|What do we call a baby {}?",
       .eval_questions = "Pick the name for the young of a {}.",
       .statements = "The {} has a {a}.|A {a} grows into a {}.",
       .facts =
           "dog=puppy; cat=kitten; horse=foal; cow=calf; sheep=lamb; goat=kid; duck=duckling; goose=gosling; swan=cygnet; "
           "kangaroo=joey; frog=tadpole; pig=piglet; deer=fawn; lion=cub; owl=owlet; eagle=eaglet; butterfly=caterpillar"},
      {.name = "organ", .subject = "science",
       .train_questions = "Which part of the body {}?",
       .eval_questions = "Name the part of the body that {}.",
       .statements = "{a}: it {}.|It {}: {a}.",
       .facts =
           "pumps blood=the heart; does the thinking=the brain; takes oxygen from the air=the lungs; lets you see=the eyes; "
           "lets you hear=the ears; lets you smell=the nose; lets you taste=the tongue; covers the outside=the skin; "
           "chews food=the teeth; filters waste from the blood into urine=the kidneys; "
           "receives food right after it is swallowed and digests it=the stomach; joins the hand to the arm=the wrist; "
           "joins the foot to the leg=the ankle; lets the leg bend in the middle=the knee; "
           "lets the arm bend in the middle=the elbow; holds the body upright along the back=the spine"},
      {.name = "element", .subject = "science",
       .train_questions = "Which element has the chemical symbol {}?",
       .eval_questions = "On the periodic table, {} stands for which element?",
       .statements = "{} is written for {a}.|{a} has the sign {}.",
       .facts =
           "H=hydrogen; O=oxygen; C=carbon; N=nitrogen; He=helium; Fe=iron; Au=gold; Ag=silver; Cu=copper; Na=sodium; "
           "K=potassium; Ca=calcium; Zn=zinc; Pb=lead; Sn=tin; Hg=mercury; Al=aluminum; S=sulfur; P=phosphorus; Cl=chlorine; "
           "Ne=neon; Ni=nickel; Si=silicon; Mg=magnesium; U=uranium; I=iodine"},
      {.name = "state", .subject = "science",
       .train_questions = "At room temperature, what state of matter is {}?",
       .eval_questions = "In an ordinary room, {} is found in which state of matter?",
       .statements = "{} is {a} in daily life.|We meet {} as {a}.",
       .facts =
           "iron=solid; wood=solid; glass=solid; salt=solid; stone=solid; milk=liquid; water=liquid; olive oil=liquid; "
           "vinegar=liquid; mercury=liquid; oxygen=gas; helium=gas; nitrogen=gas; carbon dioxide=gas",
       .more_answers = "plasma"},
      {.name = "instrument", .subject = "science",
       .train_questions = "Which instrument measures {}?",
       .eval_questions = "To measure {}, which instrument do you need?",
       .statements = "{a} tells {}.|For {} there is {a}.",
       .facts =
           "temperature=a thermometer; the time of day=a clock; how heavy something is=a scale; "
           "the length of a pencil=a ruler; the speed of a moving car=a speedometer; air pressure=a barometer; "
           "the shaking of the ground in an earthquake=a seismograph; the speed of the wind=an anemometer; "
           "the size of an angle=a protractor; the strength of an electric current=an ammeter"},
      {.name = "unit", .subject = "science",
       .train_questions = "Which unit is used to measure {}?",
       .eval_questions = "Pick the unit in which {} is measured.",
       .statements = "{} is told by the {a}.|The {a} is for {}.",
       .facts =
           "length=meter; mass=kilogram; time=second; electric current=ampere; force=newton; energy=joule; power=watt; "
           "frequency=hertz; electrical resistance=ohm; voltage=volt; the volume of a drink=liter; the loudness of sound=decibel"},
      {.name = "study", .subject = "science",
       .train_questions = "What does {} study?",
       .eval_questions = "The work of {} is about what?",
       .statements = "{} knows about {a}.|{a}: the field of {}.",
       .facts =
           "a botanist=plants; a geologist=rocks; an astronomer=stars and planets; a meteorologist=the weather; "
           "an entomologist=insects; a linguist=languages; a historian=the human past; an ornithologist=birds; "
           "a volcanologist=volcanoes; a cardiologist=the heart; an oceanographer=the oceans; a paleontologist=fossils; "
           "a mathematician=numbers and shapes; a dermatologist=the skin; a neurologist=the nervous system"},
      {.name = "planet", .subject = "science",
       .train_questions = "Which planet {}?",
       .eval_questions = "Name the planet that {}.",
       .statements = "{a} {}.|The one that {} is {a}.",
       .facts =
           "is closest to the Sun=Mercury; is our home=Earth; is known as the red planet=Mars; "
           "is the largest in our solar system=Jupiter; is famous for its bright, wide rings=Saturn; "
           "is farthest from the Sun=Neptune; is the hottest=Venus; rolls around the Sun on its side=Uranus"},
      {.name = "plant", .subject = "science",
       .train_questions = "Which part of a plant {}?",
       .eval_questions = "Name the part of a plant that {}.",
       .statements = "{a}: it {}.|Of a plant, {a} {}.",
       .facts =
           "takes up water from the soil=the root; makes food from sunlight=the leaf; carries water up to the leaves=the stem; "
           "attracts bees with color and scent=the flower; grows into a new plant=the seed; "
           "protects the trunk of a tree=the bark"},
      {.name = "change", .subject = "science",
       .train_questions = "What is it called when {}?",
       .eval_questions = "Pick the word for what happens when {}.",
       .statements = "When {}, that is {a}.|{a} means that {}.",
       .facts =
           "ice turns into water=melting; water turns into ice=freezing; a puddle dries up in the sun=evaporation; "
           "steam turns into drops on a cold window=condensation; iron turns red-brown in damp air=rusting; "
           "the Moon moves in front of the Sun=an eclipse; plants use light to make food=photosynthesis; "
           "wind and water carry soil away=erosion; a caterpillar turns into a butterfly=metamorphosis; "
           "a force between surfaces slows a sliding box=friction; a bear sleeps through the winter=hibernation"},
      {.name = "home", .subject = "science",
       .train_questions = "Which animal lives in {}?",
       .eval_questions = "{} is home to which animal?",
       .statements = "{a} lives in {}.|{} houses {a}.",
       .facts =
           "a beehive=a honeybee; a spider's web=a spider; a kennel=a dog; a stable=a horse; a pigsty=a pig; "
           "a lodge of sticks in a pond=a beaver; a shell on its own back=a snail; a nest high in a tree=a bird; "
           "a warren=a rabbit; an anthill=an ant"},
      {.name = "food_source", .subject = "science",
       .train_questions = "What does {} mostly eat?",
       .eval_questions = "Pick the usual food of {}.",
       .statements = "{} feeds on {a}.|{a}: food for {}.",
       .facts =
           "a giant panda=bamboo; a koala=eucalyptus leaves; a cow=grass; a squirrel=nuts; an anteater=ants; "
           "a vulture=dead animals; a blue whale=krill; a ladybug=aphids"},
  };
  return relations;
}

}  // namespace picochat::tasks
