"""HTML pages that need no server: the results of all runs, and executed notebooks.

report      index.html of a folder of runs
overview    its table of runs
paper       its section that compares with the paper's tables
notebooks   the executed notebooks of a run as pages
export      one notebook as a page
mathml      formulae as MathML
sanitizer   removes everything active from notebooks of unknown origin
"""
