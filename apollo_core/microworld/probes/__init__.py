"""What can be told of a film in principle: readers that know its plan, and see only what is shown.

No model and no pixel: each reader is given what a sampling or a token budget leaves of the film,
lists everything that could have been the case, and picks the answer that most of it agrees on. What
such a reader cannot tell, no model can; what it can tell, a model may still not learn.

sights.py           what is shown: which frames, and what is known of their times
reading_digits.py   digits: in which order, when, for how long, how many
reading_motion.py   camera and mover: from how they lie in one frame and another
reading_grids.py    shapes and colours: from what each cell of a pooled grid holds
reading.py          the reader: from a sight and a question to the chance of being right
"""
