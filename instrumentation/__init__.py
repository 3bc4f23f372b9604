"""What happened: recording, storing, reading and comparing runs.

This room knows nothing of growth, of the skill library or of any framework; what it must call there
(hooks, experience) reaches it by injection, so that it can be tested and trusted alone.
"""
