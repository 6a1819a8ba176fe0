"""Machinery of fine-tuning: data, schedule, loss, the trainer, checkpoints that resume to the same bytes."""
