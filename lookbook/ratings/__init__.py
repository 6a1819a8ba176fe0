"""Blind ratings: rounds of pairs of captions, what people say of them, and what that says about the captions."""
