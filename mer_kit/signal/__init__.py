"""From a sound file to features: decoded once, kept as one float16 array per clip, served as views of it.

    audio                  any file to mono samples, or one sentence why not
    frontend, frontends/   what a front-end answers, and each in a file of its own
    segments               which seconds make up a segment
    store, builder, manifest   features on disk, brought up to date and served
    fingerprint, same_music    one recording under two names
    sound, pieces, lengths     how much of a file is there, decoded in blocks
    containers, mpeg, streams, tags, rare, external, midi   one family of formats each

Reading a finished store needs numpy only; the audio libraries are imported when something must be decoded.

Notebook: 01_segmentation
"""
