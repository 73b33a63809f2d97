"""SQL of scores, by what it is about: one score, its history, passes over all of them."""
