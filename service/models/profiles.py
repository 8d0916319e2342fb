"""Profiles: which model translates and which one makes the bullets."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """A pair of models, each the name of its card."""

    translation: str
    summarization: str


PROFILES: dict[str, Profile] = {
    "light": Profile(translation="opus-mt-nl-en", summarization="extractive"),
    "demo": Profile(translation="demo-nl-en", summarization="extractive"),
}
