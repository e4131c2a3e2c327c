"""One run: its configuration, its data, its folds, its folder.

config, presets   every setting with its origin; four presets
data              the corpus opened, its features, its checksum
grouping          what has to stay in one fold: artists, and one recording under two names
experiment        trains folds and decides songs, the only place where the rooms meet
decisions         from a fold's segments to one answer per song
system_fold       the same for a system, which needs no segments
run_folder        what a run leaves on disk
stored_folds, schema, seal, npz, cells, locks   how that is written, checked and read
plausible         whether a corpus can be learned from as it is
"""
