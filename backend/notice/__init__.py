"""Notices: what a citizen has to know of, in the app and by a short text to the phone."""
