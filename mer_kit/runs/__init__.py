"""One run: its configuration, its data, its folds, its folder.

config, presets   every setting with its origin; four presets
data              the opened corpus, its features and its checksum
grouping          what has to stay in one fold: artists, and one recording under two names
experiment        trains folds and decides songs, the only place where the rooms meet
network_fold      trains a segment network on one fold
system_fold       fits a system, which needs no segments, on one fold
decisions         from a fold's segments to one answer per song
scores_file       these answers on disk, so that no classifier is fitted twice
run_folder        the files of a run
schema            what these files may hold, checked on reading
stored_folds      the folds of a run, kept in its folder
locks             one process at a time
plausible         whether a corpus can be learned from as it is
"""
