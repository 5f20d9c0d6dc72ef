"""The microworld: generated videos, images and texts whose questions have known answers.

language.py   every word and sentence form there is
chance.py     random streams and balanced dealing
layout.py     where things are on the screen
scene.py      what is on it
focus.py      which questions a film is dealt, and the answers they must have
colouring.py timeline.py motion.py    colours, times and ways that have those answers
film.py       what happens in one video: a plan, before any pixel
still.py      what one image shows
questions.py  what can be asked of a film
items.py      questions with the options of a multiple choice
writing.py    descriptions, written scenes with questions, sums and rows of numbers
looks.py      the world's own look, and a neighbouring one for pretraining
drawing.py    films and stills to pixels
encoding.py   pixels to H.264 and PNG files
manifests.py  the JSONL files
spec.py       `WorldSpec`: what a world holds
world.py      `generate`: a whole world under one folder
by_construction.py probes/    what the world forces, and readers that show it
"""
