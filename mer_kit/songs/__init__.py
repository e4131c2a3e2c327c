"""From segment probabilities to one answer per song: folds, the 7·K features, deciders, scores.

Everything here works on plain arrays: probabilities [segments, classes], the song of every segment, labels per song.
Segments of one song stand in time order, row after row; songs are counted from 0.

Notebook: 04_song_decisions
"""
