"""Model cards in, verified local model directories out.

Importing this package sets two switches of the Hugging Face libraries, which read them when they
are imported: no telemetry, and no background thread that asks the hub to convert a ``.bin``
checkpoint.
"""

import os

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
