"""Programmes (信易+): what a citizen can get, by which rule, and who may verify it."""
