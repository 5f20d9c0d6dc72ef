"""From a clip's grid of features to a fixed number of tokens as wide as the language model.

Each kind projects first and resamples second, as the study does: (clips, slots, rows, columns, dim)
-> (clips, frames_per_clip * tokens_per_frame, hidden). `kinds.build_resampler` is the door.

`perceiver`, `attention_pool` and `qformer` are told nothing of which slot a patch is of, as in the
study's released code: a video encoder's features say it themselves, an image encoder's do not, so
that with image encoders alone the order of frames inside a clip is lost there (`mlp_avg` and
`conv_avg` keep it).
"""
