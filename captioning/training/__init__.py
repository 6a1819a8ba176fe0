"""Fine-tuning: data, schedule, loss, the trainer, and checkpoints that resume to the same bytes (CPU)."""

import logging

# As in captioning.modelling, for modules here that import accelerate (and with it bitsandbytes) before that package.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
