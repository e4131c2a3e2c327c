"""Is everything here, and is it complete? `mer-kit doctor` and `mer-kit data`.

machine      Python, torch, audio libraries, kernels, disk
datasets     which corpora are here, and what is wrong with them
checksums    sizes, checksums and durations of a corpus' files
duplicates   recordings under two names, artists under several spellings
"""
