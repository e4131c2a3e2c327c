"""What finished runs found: one table of all runs, the paper's tables, and comparisons over folds.

runs_table   one row per run folder, and one per fold and classifier
recipes      what runs have in common: settings, songs and folds
copies       runs that are in several places: whether they agree, and the table with each once
status       how far a run is, why it is not done, and which notebooks failed
answers      every song's stored answers, right or wrong, and its artist
statistics   intervals, tests and power of paired differences
compare      every method against plain training, song by song, and sentences made from it
comparison_table   the same as text, with majority and cost
side_by_side all systems on the songs of one run: answers, the noise map, costs
crossing     where one system overtakes another as more labels become wrong
rejected     segments whose label every run rejects
seeds_and_folds  how likely a true difference is to be seen
fold_pairs   two methods or classifiers fold by fold
costs        what runs cost, as every table says it
tables       the paper's table 2 with our rows beneath; all runs as Markdown and LaTeX
table3       the paper's table 3 rebuilt: every system, printed and measured
paper        what the paper printed (`printed/`), and table 1
"""
