"""What a score is: the scorecard that says how, proved before use, and the engine that follows it.

`scorecard` reads and proves the data file, `engine` is the one pure function from records to
points, `explanation` says why and what would help.
"""
