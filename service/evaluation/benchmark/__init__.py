"""``kortom bench``: the service and the summarizer against transformers and bare CTranslate2.

The models are random-weight checkpoints of opus-mt-nl-en's and distilbart-cnn-12-6's exact shapes.
Output is exactly as long as is asked for, whatever engine runs: the translator never ends a
sentence, so that a translation has as many tokens as its source, and a summary has as many as the
fewest and most tokens say. Speed does not depend on the values of the weights, only quality does,
and this measures none.

Machines are shared and noisy: all contenders run once in every round, one after the other, and what
is quoted are medians over the rounds, for ratios too.
"""
