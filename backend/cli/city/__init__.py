"""The demo city: made-up people, what departments would hand in about them, and its way in.

A door-side tool: it uses the same doors as everybody. The same seed, size and day give the same
bytes.
"""
