"""The microworld: generated videos, images and texts whose questions have known answers.

language.py   every word and sentence form there is
chance.py     random streams and balanced dealing
film.py       what happens in one video: a plan, before any pixel
still.py      what one image shows
questions.py  what can be asked of a film, with the options of a multiple-choice item
writing.py    descriptions, written scenes with questions, sums and rows of numbers
drawing.py    films and stills to pixels
encoding.py   pixels to H.264 and PNG files
manifests.py  the JSONL files
spec.py       `WorldSpec`: what a world holds
world.py      `generate`: a whole world under one folder
"""
