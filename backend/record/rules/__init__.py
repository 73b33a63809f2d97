"""What a record is: the catalogue it must be in, the life it has, the line it came in on.

`catalogue` says which kinds of record exist, `life` how long one counts, `submission` how a
department's file becomes rows, `fault` what can be wrong with a line.
"""
