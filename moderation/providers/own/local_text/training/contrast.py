"""Harmless sentences of our own that use alarming words, to train the model with.

The public corpora were gathered by searching for such words, so they hold few harmless uses, and
no harmless question that begins as their illicit ones do.
"""

from __future__ import annotations

from collections.abc import Iterator

_HARMLESS = """
you can kill a hung process with signal nine, or just restart the machine
my phone battery is dying again, killing the background apps helps
the new update kills performance on older laptops
this joke kills me every single time
kill two birds with one stone and prune the roses while you are there
the striker had three chances to shoot and missed them all
the goalkeeper saved the first shot and then the ball hit the post
pass the ball, do not shoot from there
kill the task if it runs longer than an hour
how do i kill a thread that hangs
shoot the arrow at the target and breathe out
hit the button twice to start
please do not hurt yourself, talk to somebody
please do not give up, we are here for you
suicide is never the answer, please call a helpline
shoot me an email when you have a minute
we are going to shoot the second scene at sunrise
he shot a beautiful portrait with a fifty millimetre lens
that guitar solo was absolutely sick
what a sick trick, how long did it take to learn
the referee blew the whistle and the crowd went mad
our team destroyed them in the second half, well deserved
i bombed my exam but at least the teacher was kind
this pizza is the bomb
she slays in that outfit
the boss fight took me forty tries, i finally beat it
execute the query and drop the temporary table afterwards
the parent process forks a child and waits for it to die
strip the string before you compare it
the master branch is protected, ask for a review
breast cancer runs in my family so i go for a yearly check
the midwife explained how breastfeeding works
sex education in our school was quite good
the chicken breast needs about twenty minutes in the oven
the dog is a bitch of four years with her papers in order
the cock crowed at five in the morning
we saw a blue tit and two robins at the feeder
my cat pooped on the carpet again
the film is about a serial killer and a tired detective
a documentary about suicide prevention, the helpline is listed at the end
the book deals with grief after a suicide and it is very gentle
if you feel like this please call someone, you matter
i was depressed for years and therapy helped me a lot
the museum shows weapons from the middle ages
the knife needs sharpening before you cut the onions
the recipe says to beat the eggs and whip the cream
add two shots of espresso and top it up with hot milk
cut the stems at an angle so the roses last longer
the virus attacks the immune system
the army attacked the city at dawn, writes the historian
the minister was attacked in the press for the new budget
police arrested a man after the robbery on main street
the drug was approved for the treatment of asthma
my doctor gave me stronger painkillers after the operation
is it safe to take ibuprofen with this antibiotic
grass needs more water than weeds do
the weed in my garden grows faster than the beans
crack the window a little before you fall asleep
black and white photographs look better on matte paper
my gay neighbours brought us a cake when we moved in
muslims around the world celebrate the end of ramadan today
the jewish museum is free on the first sunday of the month
women hold more than half of the seats in the new council
she is a trans woman and a brilliant engineer
immigrants opened most of the restaurants on our street
the mexican place around the corner does great tacos
my grandmother came from poland with one suitcase
he has autism and he loves trains
i disagree with you, but thank you for explaining it so patiently
i think you are wrong about the date, see the source below
that is a stupid bug in my own code, sorry for the noise
i feel so dumb, the cable was not plugged in
you are killing it with these photos, keep going
nobody is an idiot for asking, welcome to the forum
please do not call anyone an idiot here
he was called a loser at school and it still hurts him
the lecture explains why slurs hurt
i hate mondays
i hate it when the printer jams
i would kill for a cup of coffee right now
my feet are killing me after that hike
the suspense is killing me, when is the next episode out
break a leg tonight
this traffic will be the death of me
the plants died because i watered them too much
my grandfather died last week and i miss him
dead pixels are covered by the warranty
the deadline is friday, please send your drafts
hang the picture a little higher
hang in there, it gets easier
you need to shut the valve before you open the tap
burn the image to a disk and boot from it
fire the interrupt handler only once
i got fired yesterday and i do not know what to do next
free delivery is offered by most shops in town
the library is free for everyone, just bring your card
click the icon in the corner to open the settings
subscribe to the mailing list to get the minutes of the meeting
i bought it on sale and i am very happy with it
the winner of the contest will be announced on sunday
my new video about sourdough is online, feedback is welcome
is there a cheap hotel near the station
we earn less than the people who do the same work in the capital
the bank sent me a new card and i lost the pin
call me when you get home
the nurse gave him an injection
the hunters have to report every deer they shoot
the rifle club meets on thursdays, members only
does anyone have a spare charger for this laptop
the tomatoes are still green, perhaps in a week
thanks a lot, this solved my problem
good morning everyone, what are you reading at the moment
does the train stop at the airport
i changed the oil and the noise is gone
what is the best way to store potatoes over the winter
which paint should i use on a damp wall
lovely picture, where did you take it
our dog is afraid of fireworks, any advice
can you recommend a good beginner camera
the concert was moved to june
i have been learning the piano for two years
has anybody tried the new bakery on the square
the meeting starts at ten, bring the figures
i will send you the files tonight
i will help you with the move on saturday
i am going to call you tomorrow about the invoice
you will love this book
i know where you live now, congratulations on the new flat
"""

_SHORT = """
ok|okay|lol|brb|thanks|thank you|yes|no|hi|hello|hey there|good morning|nice|great|cool|wow|sure
same here|me too|well done|congrats|congratulations|happy birthday|agreed|i agree|exactly|why|how
what|maybe|no idea|not sure|see you|bye|good luck|good night|sorry|my bad|haha|lmao|omg|idk|imo
first|done|fixed|solved|bump|following|this|good point|makes sense|sounds good|of course|really
love it|so cute|beautiful|awesome|amazing|perfect|interesting|any news|any updates|welcome|cheers
test|hello world|dear all|best regards|kind regards|same|true|nope|yep|yeah|right|wrong thread
"""

_FRIENDLY = """
i love this community|i love this song|i love this place so much|i love this forum
i love your garden|love this picture|this is my favourite thread|great video, thanks for sharing
check out my new recipe, feedback welcome|check out the second chapter, it explains the trick
take a look at my first painting and tell me what you think|here is my new drawing
my new shelf is finished, have a look|have a look at the photos from our trip
please subscribe to the issue if you want to hear about it|my channel on the radio was too quiet
follow the path until you reach the bridge|i made a video of the concert, does anybody want it
i wrote a small program that sorts photos, it is free and open source
the new bakery has free coffee on mondays|win or lose, it was a good match
our shop opens at nine|visit the museum when you are in town|call the office in the morning
buy the ripe ones, they taste better|i want to buy a used bike, what should i look for
"""

# Links are as common in harmless posts as in spam.
_WITH_LINKS = """
https://example.org/photos/42|www.example.net/article/2021|http://example.com/wiki/tomato
https://example.org/a/b-c?x=1#top|the manual is at https://docs.example.org/setup
source: https://example.net/news/12 if anybody wants to read it
see www.example.org for the opening hours
here is the map https://maps.example.com/?q=museum|same problem here: https://forum.example.org/t/881
the paper: https://example.edu/paper.pdf|i uploaded the log to https://paste.example.org/x1
more photos of the garden: https://photos.example.com/album/7
"""

# Strong words among friends: profane, but an attack on nobody.
_SALTY = """
this is fucking great|that was fucking amazing|shit happens, do not worry|holy shit that is cool
what a shitty day, the train was late again|damn, that looks good|i am so fucking tired
oh crap, i forgot the milk|hell yeah|no shit|my printer is a piece of crap|that movie was badass
fuck yes, we won|this damn cable broke again|i fucked up the recipe, any way to save it
well shit, the file is gone|my code is shit but it works|holy crap what a goal|that is bullshit
kick ass solo|it is cold as hell outside|who the hell designed this menu|damn i miss that show
i am such an idiot, it was plugged out|i feel like an idiot for not seeing it|stupid autocorrect
what the fuck is this error message|the weather is shit today|fucking finally, it compiles
"""

# What happened by accident, and what is said to keep somebody alive.
_CARING = """
i cut myself while shaving again, any tips for a sensitive neck|i cut myself in the kitchen
i cut my finger slicing onions this morning|she burned herself on the oven door
i hurt myself at the gym, it is only a sprain|he cut himself on a broken glass, three stitches
my son cut himself on the tin lid, should i worry|i cut my leg shaving in the shower, ouch
i stabbed myself with a sewing needle, twice|i hit myself with the hammer, do not laugh
i nearly killed myself laughing at that sketch|i am dying to see the new season
please do not kill yourself, talk to somebody first|don't kill yourself, there is help
please don't hurt yourself, we care about you|do not do it, please call the helpline
don't end your life, you are loved here|please don't die, call someone now, anyone
whoever thinks of suicide: please call a friend or a doctor today|please stay with us
don't kill yourself over one exam, it can be taken again|do not kill yourself at work
i survived my suicide attempt and i am glad to be here|i stopped cutting four years ago
she lost her brother to suicide, be kind to her|how do i support a friend who self harms
"""

# How to be reached is no spam.
_CONTACTS = """
me@example.org|you can reach me at anna@example.com|write to office@example.org, please
+1 (555) 010-1234|call me on 555 0142|my number is 01632 960 123 if you get lost
mail: info@example.net, phone: 555-0199|office hours nine to five, +44 1632 960 001
contact the treasurer, treasurer@example.org, about the fee|fax 555 0110, if anybody still uses it
the plumber we used: 555 0177, ask for ben|send the form to forms@example.edu by friday
room 12, extension 4410|order no. 10021994, arrived on 12/03|tel. (555) 010-9988
"""

_HARMLESS_TASKS = """
grow tomatoes on a small balcony|get my child to sleep earlier|bake bread without a machine
learn a language in the evenings|fix a flat tyre|repair a dripping tap|paint a wooden fence
train a puppy not to bite|make cheese at home|build a simple website|save money on heating
write a letter of application|remove a stain from a carpet|keep slugs away from lettuce
prepare for a job interview|back up my photos|change the language of my phone|knit a scarf
teach my grandmother to use email|store apples over the winter|make a good cup of coffee
find old newspapers online|clean a cast iron pan|stop my bicycle brakes from squeaking
cook rice so that it does not stick|plan a trip through the alps by train|sell my old car
protect my account from hackers|recognise a phishing mail|dispose of old medicine safely
talk to my son about drugs|help a friend who is depressed|report a scam|get a fishing licence
store cleaning chemicals safely|explain photosynthesis to children|use a drill on brick
write a crime novel|apply for a passport|register a gun legally|measure blood pressure at home
"""

_QUESTIONS = (
    "how can i {}",
    "how do i {}?",
    "what is the best way to {}?",
    "can you give me step by step instructions to {}",
    "what are some good methods to {}, and what do i need?",
    "could someone explain how to {} please",
)


def harmless_sentences() -> Iterator[str]:
    """Yield sentences that are harmless in every category but profanity, which is not learned."""
    for line in _HARMLESS.strip().splitlines():
        yield line
        yield line.capitalize() + "."
    for phrase in _split(_SHORT + _FRIENDLY + _WITH_LINKS + _SALTY + _CARING + _CONTACTS):
        yield phrase
        yield phrase.capitalize() + "!"
    for task in _split(_HARMLESS_TASKS):
        for question in _QUESTIONS:
            yield question.format(task).capitalize()


def _split(phrases: str) -> Iterator[str]:
    return (phrase for phrase in phrases.replace("\n", "|").split("|") if phrase)
