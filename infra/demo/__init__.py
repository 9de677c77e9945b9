"""`make demo`: two systems full of people, edits and trouble on both sides, and a check that knows nothing of Tandem's code.

The check (`table`, `sameness`, `history`, `comparison`, `judgement`, `latency`) imports neither `streams` nor `consumers`: what is mapped,
when two values mean the same and who wins a conflict are written down here a second time, as plain data.
"""
