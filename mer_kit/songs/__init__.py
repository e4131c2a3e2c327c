"""From segment probabilities to one answer per song.

    folds                       songs in folds, groups kept together
    features                    the seven statistics of each class (paper Eq. 11 to 15)
    classifier, classifiers/    the interface of song-level classifiers, and each in its own file
    scores                      accuracy, F1, confusion
    svm_file                    the fitted SVM on disk, without pickle

Everything here works on plain arrays: probabilities [segments, classes], the song of every segment,
labels per song. The segments of a song are in time order, row after row; songs are counted from 0.

Notebook: 04_song_decisions
"""
