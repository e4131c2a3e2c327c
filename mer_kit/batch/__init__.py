"""Many notebooks executed by papermill, alone or on a dask cluster.

planning     which notebooks a run executes, in which order and with which parameters
parameters   the parameters that a notebook declares
jobs         one notebook executed, its result kept or its failure noted
executed     executed notebooks: whether they finished, their last output, removal of local paths
kernel       the kernel's process: Unix sockets in place of TCP ports, and its stderr
limits       peak memory, and limits on seconds and memory
in_process   the missing runs of a grid, trained in this process
grid_file    what varies and what is fixed, and the YAML file that says so
grid         corpora × tasks × durations × methods × seeds
cluster      the workers: processes, a scheduler's address, or SLURM
progress     how far a grid is, and an estimate of the remaining time
"""
