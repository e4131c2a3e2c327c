"""Pages that need no server: the results of all runs, and executed notebooks as HTML.

report      index.html of a folder of runs
overview    its table of runs
paper       its section with the paper's tables
notebooks   a run's executed notebooks as pages
export      one notebook as a page
sanitizer   notebooks of unknown origin made harmless
"""
