"""Profiles: which model translates and which one makes the bullets."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """A pair of models, each the name of its card."""

    translation: str
    summarization: str


PROFILES: dict[str, Profile] = {
    "standard": Profile(translation="opus-mt-nl-en", summarization="distilbart-cnn-12-6"),
    "light": Profile(translation="opus-mt-nl-en", summarization="extractive"),
    "quality": Profile(translation="opus-mt-tc-big-gmw-gmw", summarization="bart-large-cnn"),
    "demo": Profile(translation="demo-nl-en", summarization="extractive"),
}
