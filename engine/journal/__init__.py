"""An append-only journal of JSON lines, each proved by a checksum, written in groups. Knows no jobs.

`line` encodes and decodes, `writer` commits in groups, `replay` reads back what a crash left.
"""
