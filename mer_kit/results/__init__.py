"""What finished runs found: one table of all runs, the paper's tables, and comparisons over folds.

runs_table   one row per run folder, one row per fold and classifier
copies       runs that are in several places, and whether they agree
status       how far a run is, and why it is not done
compare      paired comparisons over folds, and sentences made from them
tables       the paper's tables 2 and 3 with our rows beneath
run_tables   the same runs as Markdown and LaTeX, with their provenance
paper        what the paper printed (`printed/`), and table 1
"""
