"""What a round's judgements say: preference, agreement, strength of several arms, and scores that agree with people."""
