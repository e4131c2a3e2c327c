"""From a sound file to features: decoded once, stored as one float16 array per clip.

    audio                  any audio file to mono samples, or one sentence that says why not
    frontend, frontends/   the front-end interface, and one file for each front-end
    segments               the times at which a clip's segments begin and end
    store, builder, manifest   features on disk: computed, kept up to date and served
    fingerprint, same_music    recordings that occur under two names
    sound                      any sound file as pieces that are decoded in blocks
    containers, streams, mpeg  how much sound a file states and how much it contains
    extent                     the record of this, and the tags around the sound
    midi                       MIDI files, rendered

Reading a finished store needs only numpy; audio libraries are imported when a clip is decoded.

Notebook: 01_segmentation
"""
