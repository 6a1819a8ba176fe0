"""What people look at in a study: its state, pages of garments, words of captions, customers and pictures.

The application reads these; nothing here knows how a page is served, and nothing imports torch.
"""
