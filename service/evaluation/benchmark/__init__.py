"""``kortom bench``: the service and the summarizer against transformers and bare CTranslate2.

The models are random-weight checkpoints of opus-mt-nl-en's and distilbart-cnn-12-6's exact shapes.
Output is as long as the comparison needs it, whatever engine runs: the translator's weights end a
translation where its source ends, and a summary has as many tokens as the fewest and most say.
Speed does not depend on the values of the weights, only quality does, and this measures none.

The parts: ``speed`` (one thing at a time), ``load`` (many clients, against other servers),
``company`` (what batches and threads cost, and whether answers depend on who else asks),
``overload`` and ``soak``. Every contender is a process of its own, and so are the clients.

Machines are shared and noisy: all contenders run once in every round, one after the other, and what
is quoted are medians over the rounds, for ratios too.
"""
