// The words of the spelling drills: common English words of three to eleven letters, in lower case,
// sorted, each once. The list was written for this project.
#include "tasks/skills/word_list.hpp"

namespace picochat::tasks {

const char* const kWordListText = R"(
able about above absence abundance accept accident account accuse ache achieve acid acorn across act action active
actor actress adapt add address adjust admiral admire admit adopt adult advance advantage adventure advice affection
afford afraid after again age agenda agent agree agriculture air airport aisle alarm album alert alike alive alley
allow almond almost alone along aloud alphabet already also alter altitude always amaze amber ambition ambulance
among amount ample amuse analysis ancestor anchor ancient angle angry animal ankle announce annual answer ant
antenna anthem antique anvil anxious any apart apartment apology appear appetite applaud apple apply appoint
approach approve apricot april apron aquarium arcade arch archer area arena argue argument arm armor army around
arrange arrest arrival arrive arrow art artichoke article artist ash ashamed aside ask asleep asphalt aspirin
assembly assist astronaut athlete atlas atom attach attempt attend attention attic attitude attract audience august
aunt author authority automatic autumn available avenue average avocado avoid awake award aware away awful awkward
axe axle baby back backpack bacon badge badger bag bagel bait bake baker bakery balance balcony ball ballet balloon
bamboo banana band bandage bang banjo bank banner bar barbecue barber bare bark barley barn barrel barrier base
basement basic basil basin basket bat batch bath battery battle bay beach bead beak beam bean bear beard beast
beautiful beauty beaver become bed bedroom bee beech beef beetle before begin beginner behave behind being belief
bell belly belong below belt bench bend benefit berry beside best better between beyond bicycle big bike bill bin
bind bird birth birthday biscuit bishop bison bite bitter black blackbird blade blame blanket blast blaze blend
bless blind blink blizzard block blond blood bloom blossom blouse blow blue blueberry blunt blush board boast boat
body boil bold bolt bone bonfire bonus book boost boot border bored borrow boss both bother bottle bottom boulder
bounce boundary bow bowl box boxer boy brace bracelet brain brake branch brass brave bread break breakfast breath
breeze brick bride bridge brief bright brilliant bring brisk broad broccoli brochure broken bronze brook broom
brother brown brush bubble bucket buckle bud budget buffalo bug bugle build bulb bull bulletin bump bunch bundle
bunny burger burn burst bury bus bush busy butcher butter butterfly button buy buzz cabbage cabin cabinet cable
cactus cage cake calculate calendar calf call calm camel camera camp campaign campus can canal canary candidate
candle candy cane canoe canopy canvas canyon cap cape capital captain car caravan carbon card cardboard cardigan
care career careful careless cargo caring carnival carol carpet carriage carrot carry cart cartoon carve case cash
castle casual cat catch cathedral cattle cauliflower cause cautious cave ceiling celebrate celebrity celery cell
cellar cello cement center century cereal ceremony certain chain chair chalk challenge champion chance change
channel chapel chapter character charcoal charge charity charm chart chase cheap check cheek cheer cheese chef
chemical chemist cherry chess chest chestnut chew chicken chief child chill chimney chimpanzee chin chip chisel
chocolate choice choir choose chop chorus church cider cinema cinnamon circle circus citizen city claim clam clap
clarinet class classic classroom claw clay clean clear clerk clever click cliff climate climb clinic clip cloak
clock clockwork close closet cloth clothing cloud clover clown club clue clumsy coach coal coast coat cobra cobweb
coconut code coffee coin cold collar colleague collect college collision colony color colt column comb combine come
comedy comet comfort comic command comment committee common community company compare compass competition complain
complete compose computer concert conclude concrete condition conduct cone confident confirm confuse congress
connect conquer consider constant construct contact contain contest continent continue control convince cook cookie
cool copper copy coral cord core cork corn corner correct corridor cost costume cottage cotton couch cough could
council count counter country couple courage course court cousin cover cow coward cozy crab crack cradle craft crane
crash crate crater crawl crayon crazy cream create creation creature credit creek creep crew cricket crime criminal
crisp critical crocodile crop cross crossroad crow crowd crown cruel cruise crumb crunch crush crust cry crystal cub
cube cucumber culture cup cupboard cupcake cure curiosity curious curl current curry curtain curve cushion custard
custom customer cut cycle cymbal dad daffodil daily dairy daisy damage damp dance dancer danger dare dark dart dash
data date daughter dawn day daylight dead deadline deaf deal dear debate debt decade december decide decimal
decision deck declare decline decorate deep deer defeat defend defense degree delay delicate delicious delight
deliver delivery delta demand democracy den denim dense dentist depart departure depend depth describe desert
deserve design designer desk dessert destroy detail detect detective develop device dew diagonal diagram dial
dialogue diameter diamond diary dictionary diet differ difficult dig digit dim dime dinner dinosaur dip direct
direction director dirt dirty disappear disaster disc discover discuss disease disguise dish dishwasher dispute
distance distant district disturb dive divide dizzy dock doctor document dog doll dollar dolphin dome domestic
donate donkey donor door doorbell dot double dough dove down downtown dozen draft drag dragon drain drama dramatic
draw drawer dream dress dried drift drill drink drip drive driver driveway drop drown drum dry duck duckling due
duet dull dump dune during dusk dust duty dwarf each eager eagerly eagle ear early earn earring earth earthquake
ease easel east easy eat echo eclipse economy edge edit editor educate education eel effect effort egg eight either
elastic elbow elder elect electric electron elegant element elephant elevator eleven elf elk elm else email
embarrass embrace emerald emergency emotion emotional empathy emperor empire employ empty enable encourage end
endless enemy energy engine engineer enjoy enormous enough enter enthusiasm entire entrance envelope envious equal
equator equipment erase errand error escape especially essay essential establish estimate eternal evaluate even
evening event eventually ever every evidence evil exact exactly exam examine example excellent except exchange
excite excursion excuse executive exercise exhausted exhibit exist exit expand expect expedition expense expensive
experience experiment expert explain explode explore explosion expose express extend extinct extra extreme eye
eyebrow eyelash fable fabric fabulous face facility fact factor factory fade fail faint fair fairy faith falcon fall
false fame familiar family famous fan fancy fantastic far farewell farm farmer fascinate fashion fast fasten father
fault favor favorite fawn fear feast feather feature february feed feel feet fellow female fence fern ferret ferry
festival festive fetch fever few fiber fiction fiddle field fierce fifteen fifth fifty fig fight figure file fill
film filter final find fine finger finish fire firefly fireman fireplace fireworks firm first fish fisherman fist
fit five fix flag flame flamingo flap flash flashlight flat flavor flea fleet flesh flexible flight flip float flock
flood floor flour flow flower flu fluffy fluid flute fly foam focus fog foil fold folder follow fond food fool foot
football footprint footstep force forecast forehead foreign forest forever forget forgive fork form formal former
formula fort fortunate fortune forty forward fossil foster found fountain four fourteen fox fraction fracture
fragile frame freckle free freedom freeze freezer frequent fresh friction friday fridge friend friendly frighten
frightened fringe frog front frost frown frozen fruit fry fudge fuel full fun function funny fur furious furnace
furniture future fuzzy gadget gain galaxy gallery gallon gallop galloping game gander gap garage garbage garden
gardener garlic garment gas gate gather gauge gaze gear geese gem general generation generous gentle gentleman
genuine geography geometry gerbil germ gesture get geyser ghost giant gift gigantic giggle ginger gingerbread
giraffe girl give glacier glad glance glass glide glimpse glitter globe gloom glory glove glow glue goal goat gold
golden goldfish golf good goodbye goodness goose gorilla gossip govern gown grab grace gracious grade gradual
graduate grain gram grammar grand grandma grandmother grandpa granite grant grape graph grass grasshopper grateful
gratitude gravel gravity gravy gray graze grease great greedy green greenhouse greet greeting grid grief grill grin
grind grip grocery groom ground group grove grow growl grown guarantee guard guardian guess guest guidance guide
guilty guitar gulf gull gum gust gym gymnastics habit hail hair hairbrush half halfway hall halt ham hamburger
hammer hammock hamster hand handbag handful handle handmade handshake handy hang happen happiness happy harbor hard
hardly hardware hare harm harmless harmony harp harsh harvest hat hatch haunt have hawk hay haystack hazel head
headache headline headphones heal health healthy heap hear heart heartbeat heat heaven heavy hedge hedgehog heel
height helicopter helium hello helmet help hemisphere hen herb herd here heritage hermit hero heron herring hesitate
hide high highway hike hill hinge hint hip hippo hire historic history hit hive hobby hockey hold hole holiday
hollow holly home honest honey hood hoof hook hope horizon horn horror horse hose hospital hospitality host hotel
hour house household housework hover how hug huge human humble humidity humor hundred hungry hunt hunter hurdle
hurricane hurry hurt husband hut hydrogen hyena hymn ice iceberg icicle icing icy idea ideal identity idle igloo
ignore iguana ill illness image imaginary imagine imitate imitation immediate impatient import important impossible
impress improve inch incident include income increase indeed independent index indoor industry infant infect
infection influence inform ingredient inhabitant injury ink inn inner innocent inquiry insect inside inspect
inspector inspire instant instead institute instruct instrument insult insurance intelligent intend interest
interior interview into introduce invent invisible invitation invite iron irrigate island item itself ivory ivy
jacket jaguar jail jam janitor january jar jaw jazz jealous jeans jelly jellyfish jet jewel jewelry jigsaw job
jockey join joke jolly journal journey joy judge judgment juggle juice july jump june jungle junior junk jury just
justice kangaroo karate kayak keen keep kennel kernel kettle key keyboard kick kid kidney kilometer kind kindness
king kingdom kiss kit kitchen kite kitten kiwi knapsack knee kneel knife knight knit knob knock knot know knowledge
koala label labor laboratory lace lack ladder lady ladybird lagoon lake lamb lame lamp land landmark landscape lane
language lantern lap lard large laser last late laugh launch laundry lava lavender law lawn lawyer layer lazy lead
leader leadership leaf league leak lean leap learn least leather leave lecture leek left leg legend legendary
leisure lemon lend length lens leopard less lesson let letter lettuce level lever liberty library license lid life
lifeboat lift light lighthouse lightning like lilac lily limb lime limestone limit line linen link lion lip liquid
list listen liter literature litter little live lively liver lizard llama load loaf loan lobster local location lock
locker log logic lollipop lonely long look loop loose lord lorry lose loss lost lot lotion loud loudspeaker lounge
love lovely low loyal luck lucky luggage lumber luminous lump lunar lunch lung luxury lyric machine magazine magic
magician magnet magnificent maid mail main major majority make male mall mammal manage mandarin mane mango manner
mansion manual manufacture many map maple marathon marble march mare margin marigold marine mark market maroon
marriage marry marsh marvelous mask mast master match material math mathematics matter mattress mature maximum maybe
mayonnaise mayor maze meadow meal mean meanwhile measure meat mechanic mechanical medal medicine medium meet
melancholy melody melon melt member memory mend menu merchant mercy merge merit mermaid merry mess message messenger
metal meteor meteorite meter method microphone microscope midday middle midnight mighty migrate mild mile military
milk mill million mind mine mineral miniature minimum minister minor mint minus minute miracle mirror mischief
miserable miss mistake mitten mix mixture moan mobile model modern modest moist molar mole moment monday money
monkey monster month monument mood moon moonlight moose mop moral more morning mosquito moss moth mother motion
motor motorbike mountain mountainous mouse moustache mouth move movie mud muffin mule multiply mumble muscle museum
mushroom music musician mustard mute mutter mutual mysterious mystery myth nail name nanny nap napkin narrator
narrow nasty nation native nature naughty navy near neat necessary neck necklace nectar need needle neighbor neither
nephew nerve nest net nettle neutral never new news newspaper next nice nickel niece night nightmare nine nineteen
nobody nod noise none nonsense noodle noon normal north nose notch note notebook nothing notice novel november now
nowhere number nurse nursery nut nutmeg nutrition nylon oak oar oasis oat oats obey object oblong observe obstacle
obtain obvious occasion occupation occur ocean october octopus odd odor offer office officer official often oil old
olive omelet once onion only onto onward opal open opera operation opinion opponent oppose opposite option orange
orbit orchard orchestra orchid order ordinarily ordinary organ organize origin original ornament orphan ostrich
other otter ounce out outcome outdoor outer outfit outlet outline outside oval oven over overcoat overhead oversleep
overtake owe owl own owner oxen oxygen oyster pace pack package pad paddle page pail pain paint painter pair palace
pale palm pan pancake panda panel panic panther pants papaya paper paperclip parachute parade paradise paragraph
parallel parcel pardon parent park parliament parrot parsley part party pass passage passenger passport password
past pasta paste pastry pasture patch path patience patient patio patrol pattern pause pave pavement paw pay pea
peace peaceful peach peacock peak peanut pear pearl pebble peculiar pedal pedestrian peel peep pelican pen penalty
pencil penguin peninsula penny people pepper peppermint percent perch perfect perform performance perfume perhaps
period permanent permission permit person personal persuade pet petal petroleum pharmacy phone photo photograph
phrase physics piano pick pickle picnic picture pie piece pier pig pigeon pile pill pillar pillow pilot pin pinch
pine pineapple pink pint pioneer pipe pirate pit pitch pizza place plain plan plane planet planetary plank plant
plaster plastic plate platform play player playful playground plaza pleasant please pleasure plenty plot plow plug
plum plumber plural plus pocket poem poet poetry point polar pole police policeman polish polite politician pollen
pollution pond pony pool poor pop popcorn poppy popular population porch porcupine porridge port portable portrait
position possession possible post postcard poster postpone pot potato potter pouch pound pour powder power powerful
practice praise pray precious precise predict prefer preparation prepare prescribe present preserve president press
pressure pretend pretty prevent previous price prickle pride priest primary prime prince princess principal print
prison prisoner privacy private privilege prize problem procedure process procession produce professor profile
profit program project prominent promise pronounce proof proper property protect protein proud prove proverb provide
prune public publish pudding puddle pull pulse pump pumpkin punch punctual punctuation punish pupil puppet puppy
purchase pure purple purpose purse push puzzle pyjamas pyramid python quack quail quaint quake qualify quality
quantity quarrel quarry quarter quarterback quartz queen query quest question quick quicksand quiet quill quilt quit
quite quiz quote rabbit raccoon race racket radar radiator radio radish raft rag rail railway rain rainbow raincoat
raise raisin rake ramp ranch range rapid rare raspberry rat rate rather rattle raven raw ray razor reach react read
ready real realistic really reason rebel recall receipt receive recent recipe recognize recommend record recover
recreation rectangle recycle red reduce reef refer reference reflect refreshment refuse region register regret
regular rehearsal reindeer relate relative relax release reliable relief religion reluctant remain remark remarkable
remedy remember remind remove rent repair repeat replace reply report represent reptile republic reputation request
rescue research reserve resident resist resolution resource respect responsible rest restaurant result retire return
reunion reveal revenge reverse revolution reward rhinoceros rhyme rhythm rib ribbon rice rich riddle ride ridge
ridiculous right rigid rim ring rinse ripe ripple rise risk rival river road roadside roar roast rob robin robot
rock rocket rod role roll roller romantic roof room rooster root rope rose rosemary rotate rotten rough round route
row royal rub rubber ruby rude rug ruin rule ruler rumor run runner runway rural rush rust sack sacrifice sad saddle
safe safety sail sailboat sailor salad salamander salary sale salmon salt salute same sample sand sandal sandwich
satellite satin satisfy saturday sauce saucer sausage save savings saw saxophone say scale scar scarce scare
scarecrow scarf scatter scene scenery scent schedule scheme scholar scholarship school science scientific scientist
scissors scold scoop scooter score scorpion scout scrap scrapbook scratch scream screen screw script scrub sculpture
sea seafood seagull seal search seashell season seat seaweed second secondary secret secretary section secure see
seed seek seem seesaw select self selfish sell semicircle send senior sense sensible sentence separate september
sequence series serious serpent servant serve settle seven seventeen several severe sew shade shadow shake shallow
shame shampoo shape share shark sharp shave shawl shed sheep sheet shelf shell shelter shepherd shield shift shine
ship shipwreck shirt shiver shock shoe shoelace shoot shop shopkeeper shore short shoulder shout shovel show shower
shrimp shrink shrub shut shuttle shy sick side sigh sight sign signal signature silence silk silly silver similar
simple since sincere sing singer single sink sister sit situation six sixteen size skate skeleton sketch ski skill
skin skip skirt skull skunk sky skyscraper slam slant sled sleep sleeve slender slice slide slight slim slip slipper
slope slow small smart smell smile smoke smooth snack snail snake snap sneeze snore snow snowflake snowman soap
soccer social society sock soda sofa soft software soil solar soldier sole solid solution solve some somebody
something sometimes somewhere song soon sore sorry sort soul sound soup sour south soybean space spaceship spade
spaghetti spark sparrow speak spear special specific spectacle spectator speech speed spell spend sphere spice
spider spike spill spin spinach spine spiral spirit splash split spoil sponge spoon sport spot spotlight spray
spread spring sprout square squash squeak squeeze squid squirrel stable stack stadium staff stage stain stair
staircase stalk stamp stand standard star stare starfish start state statement station stationery statue stay steady
steak steal steam steel steep stem step stereo stew stick sticky stiff still sting stir stitch stocking stomach
stomachache stone stool stop stopwatch store storm story stove straight stranded strange stranger strategy straw
strawberry stream street strength stretch strict strike string strip stripe strong structure stubborn student studio
study stuff stumble subject submarine substance subtract suburb suburban subway succeed success sudden suffer sugar
suggest suggestion suit suitcase summer summit sun sunburn sunday sunflower sunglasses sunlight sunny sunrise sunset
sunshine superior supermarket supper supply support suppose sure surface surgeon surname surprise surround survey
survive suspect suspicious swallow swamp swan swarm sweat sweater sweep sweet swell swift swim swing switch sword
symbol symmetry sympathy symphony syrup system table tablecloth tablet tackle tadpole tail tailor take tale talent
talk tall tambourine tame tangerine tangle tank tap tape tapestry target tart task taste taxi tea teach teacher team
tear tease technical technique teddy teeth telegraph telephone telescope television tell temper temperature temple
tempo temporary tempting ten tend tender tennis tent term terrace terrible territory test text textbook textile
thank thaw theater theft theme then theory therapist thermometer thick thief thigh thin thing think third thirsty
thirteen thirty thistle thorn thought thoughtful thoughtless thousand thread threat threaten three thrill throat
throne through throw thrust thumb thunder thursday ticket tickle tide tidy tie tiger tight tile till timber time
timid tin tiny tip tire tissue title toad toast today toe together toilet token tomato tomorrow tone tongue tonight
tool tooth toothbrush toothpaste top topic torch tornado tortoise total touch tough tour tournament toward towel
tower town toy trace track tractor trade tradition traffic tragic trail train trainer tram transfer translate
transport trap travel traveler tray treasure treat treatment tree tremble tremendous trend trial triangle tribe
triceratops trick trip triumph trolley trombone troop trophy tropical trot trouble trouser trousers trout truck true
trumpet trunk trust truth try tub tube tuesday tulip tumble tuna tunnel turkey turn turnip turquoise turtle tutor
twelve twenty twice twig twilight twin twist two type typewriter typical tyrant ugly umbrella umpire uncle under
understand unfair unhappy unicorn uniform union unique unit universe university unknown unless unpleasant until
unusual upon upper upset upstairs urban urge urgent use useful usher usual vacancy vacant vacation vaccine vacuum
vague vain valid valley valuable value van vanilla vanish vapor variety various vase vast vault vegetable vegetarian
vehicle veil vein velocity velvet vendor ventilate verb verse version vertical very vessel vest vibrate victim
victory video view village villain vine vinegar vineyard violence violet violin virus visible vision visit visitor
vital vitamin vivid vocabulary vocal voice volcano volleyball volume volunteer vote vowel voyage vulture waffle wage
wagon waist waistcoat wait waiter wake walk wall wallet walnut walrus wander want war warehouse warm warn warrior
wash wasp waste watch water waterfall watermelon waterproof wave wax way weak weakness wealth wear weasel weather
weave web wedding wednesday weed week weekend weigh weight weightless weird welcome well west wet whale wharf wheat
wheel wheelchair when where whether which while whip whirlpool whisker whisper whistle white whole wide widespread
widow width wife wild wilderness will willow win wind windmill window windshield wine wing wink winner winter wipe
wire wisdom wise wish witch with withdraw within without witness wizard wolf woman wonder wood wooden woodland
woodpecker wool word work worker workshop world worm worry worth worthless wound wrap wreath wreck wren wrench
wrestle wrinkle wrist write writer wrong xylophone yacht yard yarn yawn year yeast yell yellow yesterday yet yield
yogurt yolk young youngster youth zebra zero zigzag zinc zipper zone zoo
)";

}  // namespace picochat::tasks
