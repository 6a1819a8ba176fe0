"""The official Java programs: METEOR, the PTB tokenizer and SPICE in a process of their own."""
