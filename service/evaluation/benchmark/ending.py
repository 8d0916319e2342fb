"""Weights that end a translation where its source ends.

Random weights end anywhere or never. A limit could cut them off, but not every engine under
comparison takes one, and a batch of mixed lengths would run to the longest limit, which real models
do not. So the end is written into the checkpoint: one head of the last decoder layer's
cross-attention looks at the source token with the same position as the token to be made, and
``</s>`` is by far the likeliest where it sees ``</s>``. Everything else stays random.
"""

from pathlib import Path

SHARPNESS = 200.0
"""Logits by which the head would prefer its own position to the next, if positions reached it as
they were added; the layer norms on the way leave about a fifth."""

QUIET = 0.3
"""What every sublayer's output is multiplied by: positions are still there at the last layer."""

CONTENT = 15.0
"""What else the head sees at that source token is multiplied by: targets depend on sources."""

LOUD = 10.0
"""What the sign of the end is multiplied by before it is added: it outweighs the rest."""


def end_with_source(checkpoint: Path, heads: int) -> None:
    """Rewrite a random Marian checkpoint so that targets have as many tokens as their sources.

    Positions (sines, then cosines, as Marian adds them to the embeddings) and the sign of ``</s>``
    have channels of the residual stream to themselves, which no sublayer writes to.

    Args:
        checkpoint: directory of :func:`service.evaluation.checkpoints.write_marian_checkpoint`,
            with ``</s>`` as token 0.
        heads: attention heads.
    """
    import safetensors.torch
    import torch

    file = checkpoint / "model.safetensors"
    state = safetensors.torch.load_file(file)
    embeddings = state["model.shared.weight"]
    width = embeddings.shape[1]
    head_width = width // heads
    # The sines and cosines that differ most between neighbours.
    fast = torch.arange(head_width // 2)
    positions = torch.cat([fast, fast + width // 2])
    sign = fast + head_width // 2
    shape = torch.ones(len(sign))
    shape[1::2] = -1  # no mean for the layer norms to take away
    shape /= len(sign) ** 0.5

    embeddings[:, positions] = 0
    embeddings[:, sign] = 0
    embeddings[0] = 0
    # As long a vector as other tokens have: the layer norms then treat its position like theirs.
    embeddings[0, sign] = shape * (1 - (len(positions) + len(sign)) / width) ** 0.5
    for name, weight in state.items():
        if name.endswith((".out_proj.weight", ".fc2.weight")):
            weight *= QUIET
            weight[positions] = 0
            weight[sign] = 0

    last = max(int(name.split(".")[3]) for name in state if name.startswith("model.decoder.layers"))
    head = f"model.decoder.layers.{last}.encoder_attn"
    own = torch.arange(head_width)
    angles = 10_000 ** (-2 * fast / width)
    margin = float((1 - angles.cos()).sum())
    for projection, scale in (("q", SHARPNESS * head_width**0.5 / margin), ("k", 1.0)):
        weight = state[f"{head}.{projection}_proj.weight"]
        weight[own] = 0
        weight[own, positions] = scale
    value = state[f"{head}.v_proj.weight"]
    value[0] = 0
    value[0, sign] = shape
    output = state[f"{head}.out_proj.weight"]
    output[:, own] *= CONTENT
    output[sign, 0] = LOUD * shape
    safetensors.torch.save_file(state, file, metadata={"format": "pt"})
