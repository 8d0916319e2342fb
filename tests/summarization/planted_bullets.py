"""Errors planted in the bullets of the seed articles, as summarization models make them."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from service.article.document import Block, Document, Sentence
from service.evaluation.seeds import SeedArticle
from service.summarization.extractive import BULLET_KINDS

Change = Callable[[str, random.Random], str | None]
"""A bullet with one error in it; ``None`` where there is nothing to spoil."""

MONTHS = (
    "January February March April May June July August September October November December"
).split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
COUNTS = (
    "two three four five six seven eight nine ten eleven twelve thirteen fifteen eighteen twenty"
    " thirty fifty"
).split()
NUMBER = (
    rf"(?<![\w.,])[0-9]+(?:[.,:][0-9]+)*|\b(?:{'|'.join(COUNTS)})\b|\b[mb]illion\b"
    rf"|\b(?:{'|'.join(DAYS)})\b|(?<=[0-9] )(?:{'|'.join(MONTHS)})\b"
    rf"|\b(?:{'|'.join(MONTHS)})(?= [0-9])"
)
NAME_WORD = r"(?:[A-Z]\. |De |Al-)?[A-Z][\wé]*[a-zé]{2}\w*"
NAME = rf"{NAME_WORD}(?: (?:de |van |al-)?{NAME_WORD})*(?!\w)"
INSIDE = rf"(?<=[a-z,] ){NAME}"
ANYWHERE = rf"(?:^|(?<=[a-z,] )){NAME}"
NOT_NAMES = frozenset(
    "President Prime Minister The Council Striker Substitute Owner Lead Restorer Alderwoman Live"
    " Councillor Machine Public Prosecution Service Russian Turkish".split()
)
AUXILIARIES = "is|are|was|were|will|can|could|may|has|had"
NEGATION = r" not\b|n't\b|\bno (?!longer)|\bnever "

INVENTED = {
    "court-report": (
        "The court acquitted the co-defendant after a shopkeeper withdrew the complaint.",
        "Police found the stolen jewellery in a garage belonging to the lawyer.",
        "Mohammed B. told the judges that J. de V. had threatened him.",
    ),
    "culture": (
        "The museum bought the painting at an auction for a record price.",
        "Thieves damaged the canvas during an exhibition in the café.",
        "The restorer also found a hidden letter behind the painting.",
    ),
    "economy": (
        "Shareholders rejected the sale of the machine factory to a German competitor.",
        "The company will close its factory because of falling demand.",
        "Higher wages for technicians pushed up the costs of the company.",
    ),
    "health": (
        "Researchers advise older people to sleep in the afternoon and to avoid medicines.",
        "The study found that walking at night lowers the blood pressure of participants.",
        "Participants who exercised for two hours a day felt less lonely.",
    ),
    "interview": (
        "The workshop was closed by the municipality after complaints from the neighbours.",
        "Volunteers sell the repaired coffee makers to raise money for the school.",
        "Her neighbours now run three repair workshops in other towns.",
    ),
    "live-blog": (
        "Police arrested a resident on suspicion of arson in the harbour shed.",
        "Two firefighters were taken to hospital after the roof of the boatyard collapsed.",
        "The mayor of Oosterwaarde visited the sports hall to comfort residents.",
    ),
    "local-item": (
        "The railway company will install cameras to protect the storks.",
        "A train driver was injured when branches broke the window of the cab.",
        "Passengers were taken to Ankerdam by bus and got their money back.",
    ),
    "opinion": (
        "The mayor has promised to reopen the church as a pub for students.",
        "Farmers in the village protest against higher taxes on swimming pools.",
        "Several municipalities have already decided to buy their village pub.",
    ),
    "politics": (
        "The mayor resigned after the council rejected the cycle bridge.",
        "Schools in the neighbourhood will get money for a new station building.",
        "The station will be renovated before the cycle bridge is opened.",
    ),
    "press-release": (
        "The battery caught fire during construction and damaged several households.",
        "The province will take over the energy cooperative and raise the rates.",
        "Households with solar panels get a discount on the battery.",
    ),
    "sample-article": (
        "The United Nations imposed sanctions on the Russian president over the war in Syria.",
        "Haftar was killed in a bombing raid by Turkish troops near the capital.",
        "Turkish soldiers have arrived in Sirte to defend the city against Haftar.",
    ),
    "science": (
        "The researchers warn that noise from motorways kills young bats in the forest.",
        "Insects near the motorway attract more bats than the street lights of the city.",
        "Bats in the forest live longer than bats near motorways.",
    ),
    "sport": (
        "The coach was dismissed after spectators threw fireworks on the pitch.",
        "The goalkeeper broke his leg and will miss the rest of the season.",
        "Supporters of Merwelanden celebrated in the centre until late at night.",
    ),
    "weather": (
        "The weather agency warned drivers of icy roads and dense fog in the centre.",
        "Thunderstorms destroyed the harvest along the coast and flooded several cellars.",
        "Next week the temperature will drop to 10 degrees in the whole country.",
    ),
}
"""By article: fluent sentences about its topic, in its words, that it does not say."""

RECOMBINED = {
    "court-report": (
        "The lawyer said his client regretted the burglaries and offered to return the loot.",
        "Mohammed B. will appeal against the verdict of the court in October.",
    ),
    "culture": (
        "The signature on the back turned out to be a forgery, experts say.",
        "Gijs Molenkamper sold the poster to the museum during the renovation.",
    ),
    "economy": (
        "Hanneke Roderwolt will step down as chief executive next year.",
        "Veldkracht plans to build a second factory in Poland.",
    ),
    "health": (
        "General practitioners warn older people against walking at night.",
        "The watch proved to be an unreliable way of recording sleep.",
    ),
    "interview": (
        "Oldenkamper wants to turn the old post office into a school for technicians.",
        "The volunteers are paid by the municipality for every appliance they repair.",
    ),
    "live-blog": (
        "The fire brigade suspects that the owner of the shed started the fire.",
        "Residents of Meerdijk were allowed to return home after midnight.",
    ),
    "local-item": (
        "The storks left their nest and flew away from the railway.",
        "The train driver was praised by local residents for saving the storks.",
    ),
    "opinion": (
        "The sociologist wants the church to be turned into a swimming pool.",
        "Students in the village prefer an app to the pub on the square.",
    ),
    "politics": (
        "Alderwoman Marit Dalenoord will hold a referendum about the bridge in spring.",
        "Cyclists protested in the council chamber against the costs of the bridge.",
    ),
    "press-release": (
        "Director Ruben Eikelhover expects the battery to be sold to the province.",
        "Residents will have to pay for faults in the connection themselves.",
    ),
    "sample-article": (
        "Putin and Erdogan agreed to withdraw all troops from Libya.",
        "Germany and Italy will send troops to Tripoli to support the government.",
    ),
    "science": (
        "Owls catch fewer insects because of the light of cars.",
        "The University of Noordermeer wants to close the motorway during the evening rush hour.",
    ),
    "sport": (
        "Captain Teun Wassenbrink was sent off just before half-time.",
        "Coach Wilma Hagestein will leave Noorderduin after the final.",
    ),
    "weather": (
        "The sun will return on Sunday, with temperatures rising in the north.",
        "Windwijzer has issued a warning for the coast because of high waves.",
    ),
}
"""The same with the names and phrases of the article put together in another way."""

BOILERPLATE = (
    "CNN.com will feature reader photos of the bridge in a weekly gallery.",
    "Please submit your best shots of the harbour to CNN iReport.",
    "Click here for all the latest news of the cup final.",
    "Back to the Mail Online home page.",
    "Back to the page you came from.",
    "For confidential support, call the Samaritans or visit a local branch.",
    "In the U.S., call the National Suicide Prevention Lifeline.",
    "All photographs courtesy of the museum.",
    "Scroll down for video.",
    "Use the weekly Newsquiz to test your knowledge of stories you saw on CNN Student News.",
)
"""What models trained on CNN/DailyMail write about anything, in other words than theirs."""


@dataclass(frozen=True, slots=True)
class Case:
    """A spoilt bullet of an article."""

    article: str
    good: str
    bad: str


def english(article: SeedArticle) -> Document:
    """The reference translation as a document, with one space or blank line between sentences."""
    text = ""
    blocks: list[Block] = []
    number = 0
    for block in article.blocks:
        sentences: list[Sentence] = []
        for _, sentence in block.pairs:
            number += 1
            sentences.append(Sentence(f"s{number}", len(text), len(text) + len(sentence), sentence))
            text += sentence + " "
        blocks.append(Block(block.kind, tuple(sentences)))
        text += "\n\n"
    return Document(text, tuple(blocks))


def bullets(article: SeedArticle) -> list[str]:
    """Bullets without errors: those of the reference and the sentences that could be bullets."""
    sentences = [
        pair[1] for block in article.blocks if block.kind in BULLET_KINDS for pair in block.pairs
    ]
    return list(dict.fromkeys([*article.bullets, *sentences]))


def name_words(article: SeedArticle) -> list[str]:
    """The names inside the sentences of an article, each once."""
    found = dict.fromkeys(
        match.group()
        for sentence in article.references()
        for match in re.finditer(INSIDE, sentence)
        if is_name(match.group())
    )
    return list(found)


def is_name(text: str) -> bool:
    return not NOT_NAMES & set(text.split()) and text not in (*DAYS, *MONTHS)


def replaced(pattern: str, new: Callable[[str, random.Random], str | None]) -> Change:
    def change(bullet: str, choice: random.Random) -> str | None:
        matches = list(re.finditer(pattern, bullet))
        choice.shuffle(matches)
        for match in matches:
            if (other := new(match.group(), choice)) is not None:
                return " ".join((bullet[: match.start()] + other + bullet[match.end() :]).split())
        return None

    return change


def other_number(found: str, choice: random.Random) -> str:
    """Another number, month, day or scale of the same form."""
    for words in (COUNTS, MONTHS, DAYS, ["million", "billion"]):
        if found in words:
            return choice.choice([word for word in words if word != found])
    position = choice.choice([index for index, mark in enumerate(found) if mark.isdigit()])
    digit = choice.choice([d for d in "123456789" if d != found[position]])
    return found[:position] + digit + found[position + 1 :]


def other_name(names: Sequence[str], known: Sequence[str]) -> Change:
    """A change of one of the ``known`` names into another of ``names``."""

    def new(found: str, choice: random.Random) -> str | None:
        if found not in known:
            return None
        others = [name for name in names if not set(name.split()) & set(found.split())]
        return choice.choice(others) if others else None

    return replaced(ANYWHERE, new)


changed_number = replaced(NUMBER, other_number)
negated = replaced(rf"\b(?:{AUXILIARIES})\b", lambda found, _: f"{found} not")
affirmed = replaced(NEGATION, lambda *_: "")


def numbers_changed(articles: Sequence[SeedArticle], choice: random.Random) -> Iterator[Case]:
    return _changed(articles, lambda _: changed_number, choice)


def foreign_names(articles: Sequence[SeedArticle], choice: random.Random) -> Iterator[Case]:
    """A name of the article replaced by one of another article."""
    names = {article.name: name_words(article) for article in articles}

    def change(article: SeedArticle) -> Change:
        own = {word for sentence in article.references() for word in re.findall(r"\w+", sentence)}
        foreign = [
            name
            for other, found in names.items()
            if other != article.name
            for name in found
            if own.isdisjoint(re.findall(r"\w+", name))
        ]
        return other_name(foreign, names[article.name])

    return _changed(articles, change, choice)


def names_of_the_article(articles: Sequence[SeedArticle], choice: random.Random) -> Iterator[Case]:
    """A name of the article replaced by another one of it."""

    def change(article: SeedArticle) -> Change:
        names = name_words(article)
        return other_name(names, names)

    return _changed(articles, change, choice)


def negations_added(articles: Sequence[SeedArticle], choice: random.Random) -> Iterator[Case]:
    return _changed(articles, lambda _: negated, choice)


def negations_removed(articles: Sequence[SeedArticle], choice: random.Random) -> Iterator[Case]:
    return _changed(articles, lambda _: affirmed, choice)


def bullets_of_others(articles: Sequence[SeedArticle]) -> Iterator[Case]:
    """Every reference bullet as a bullet of every other article."""
    for article in articles:
        for other in articles:
            if other is not article:
                yield from (Case(article.name, "", bullet) for bullet in other.bullets)


def invented(articles: Sequence[SeedArticle]) -> Iterator[Case]:
    """Fluent sentences in words of the topic."""
    for article in articles:
        yield from (Case(article.name, "", bullet) for bullet in INVENTED[article.name])


def recombined(articles: Sequence[SeedArticle]) -> Iterator[Case]:
    """Fluent sentences made of names and phrases of the article."""
    for article in articles:
        yield from (Case(article.name, "", bullet) for bullet in RECOMBINED[article.name])


def _changed(
    articles: Sequence[SeedArticle],
    change: Callable[[SeedArticle], Change],
    choice: random.Random,
) -> Iterator[Case]:
    for article in articles:
        spoil = change(article)
        for bullet in bullets(article):
            bad = spoil(bullet, choice)
            if bad is not None and bad != bullet:
                yield Case(article.name, bullet, bad)
