"""One run: its configuration, its data, its folds, its folder.

config, presets   every setting with its origin; from what was typed to all of them
defaults          the presets, and what a run gets that names none
checked_config    what the settings may be, and which of them go together
idle              settings that have no effect, given the others
data              the opened corpus, its features and its checksum
grouping          what has to stay in one fold, and the folds of a run
experiment        trains folds and decides songs, the only place where the rooms meet
fold_training     trains a segment network, or fits a system, on one fold
decisions         from a fold's segments to one answer per song
scores_file       a fold's scores and answers on disk, read instead of fitted twice
label_noise       wrong labels made on purpose in a run's training songs
cost              what a fold cost: parameters, memory, epochs that split
stored_folds      the clips of a run and which of them its folds kept together
run_folder        the files of a run
schema            what its JSON files may hold, checked on reading
stored_tables     its tables, checked on reading; texts that a spreadsheet would run
stored_arrays     its arrays, checked on reading
locks             one process at a time
plausible         whether a corpus can be learned from as it is
"""
